//! The edge: what every call passes before and behind its handler, whoever
//! makes it. Limits that keep one caller from taking what is everybody's
//! (`[limits]`), and manners that hold for every method: deadlines, errors that
//! carry a reason, the header of the version.
//!
//! It knows nothing of what is asked for. Who may ask is the guard's affair
//! (`crate::access`), which stands between the two layers here: [`FormLayer`]
//! looks at the form of requests and answers, [`QuotaLayer`] counts for those
//! whom the guard let in.
//!
//! A caller is a token's subject and firm; without a token, an address. What is
//! kept of callers is bounded, and so is what is logged of their refusals.

mod connection;
mod deadline;
mod form;
mod frames;
mod held;
mod listen;
mod options;
mod quota;
mod rates;
mod told;
mod watched;

use std::sync::Arc;

use ::access::{Class, Methods, RuleError};
use decider::Service;
use tonic::{Code, Status};

pub use connection::{Connection, Peer};
pub use deadline::Deadline;
pub use form::FormLayer;
pub use listen::{Connections, incoming};
pub use options::{LimitsOptions, Rate};
pub use quota::QuotaLayer;
pub(crate) use rates::Rates;
pub use rates::Who;
pub(crate) use told::Told;

use crate::status;
use held::Counts;
use watched::Watches;

/// What both layers know; one for each service.
pub struct Edge {
    service: Service,
    options: LimitsOptions,
    methods: Methods,
    rates: Rates,
    streams: Counts<Who>,
    watches: Watches,
    told: Told,
    /// Whether callers on this machine without a token are counted. Where
    /// everybody may do everything (`access.mode = "open"`), they are not.
    counts_loopback: bool,
}

impl Edge {
    /// # Errors
    /// The descriptors contradict themselves.
    pub fn new(
        service: Service,
        options: &LimitsOptions,
        counts_loopback: bool,
    ) -> Result<Arc<Self>, RuleError> {
        let methods = Methods::of_the_suite()?;
        Ok(Self::for_methods(
            service,
            options,
            counts_loopback,
            methods,
        ))
    }

    /// As [`Self::new`], for methods that are not the suite's.
    #[must_use]
    pub fn for_methods(
        service: Service,
        options: &LimitsOptions,
        counts_loopback: bool,
        methods: Methods,
    ) -> Arc<Self> {
        Arc::new(Self {
            service,
            methods,
            rates: Rates::new(options),
            streams: Counts::default(),
            watches: Watches::default(),
            told: Told::new(service),
            options: options.clone(),
            counts_loopback,
        })
    }

    /// Ends streams that nobody reads and forgets callers who have gone; never
    /// ends.
    pub async fn keep_clean(self: Arc<Self>) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(self.options.look_every());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.watches.cut_stalled(&self);
            self.rates.forget_the_idle();
        }
    }

    /// A refusal, counted by its reason and told in the log.
    pub(crate) fn refuse(
        &self,
        code: Code,
        reason: &'static str,
        who: &dyn std::fmt::Display,
        path: &str,
        message: impl Into<String>,
    ) -> Status {
        self.note(reason, who, path);
        status::status(self.service, code, reason, message)
    }

    pub(crate) fn note(&self, reason: &'static str, who: &dyn std::fmt::Display, path: &str) {
        self.told.refused(reason, who, path);
    }

    fn class(&self, path: &str) -> Class {
        self.methods
            .get(path)
            .map_or(Class::Public, |method| method.class)
    }
}
