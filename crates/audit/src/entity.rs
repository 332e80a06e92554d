//! An entity of a running suite: the service's index finds its records, and they
//! are folded here, alone where that is enough.
//!
//! That the service gave all of them it says itself; whether its log is whole,
//! `audit verify` says.

use std::collections::BTreeMap;

use decider::{Domain, Position, Revision, Service, StreamId, Timestamp};
use inventory_domain::Stock;
use logistics_domain::Logistics;
use notification_domain::Notifications;
use order_domain::Orders;
use proto::record::Raw;

use crate::{
    error::AuditError,
    fold::Folding,
    history::Log,
    load,
    progress::Progress,
    remote::{self, OneStream, Remote},
    source::Source,
    state::{self, EntityState, Moment, Told},
};

/// Whether a domain tells the same of such an entity when it knows nothing but
/// the entity's own records. What it tells of the others rests on other
/// entities too: a lot's balance on what orders have set aside, a listing's on
/// its matches, a parcel's keeper on its run, an open notification's cadre on
/// its contact.
#[must_use]
pub fn folds_alone(service: Service, category: &str) -> bool {
    match service {
        Service::Order => matches!(category, "order" | "household" | "area"),
        Service::Inventory => matches!(category, "buyer" | "match" | "matching" | "price"),
        Service::Logistics => matches!(
            category,
            "pass" | "shipment" | "route" | "household-photos" | "access" | "webhook"
        ),
        Service::Notification => category == "contact",
    }
}

/// Looks an entity up, wherever the logs are.
///
/// # Errors
/// No log has such a stream, the moment is beyond the log's end, or the logs
/// cannot be read.
pub async fn state_of(
    source: &Source,
    stream: &str,
    moment: Option<Moment>,
    progress: &dyn Progress,
) -> Result<EntityState, AuditError> {
    if let Source::Suite {
        services, calling, ..
    } = source
    {
        let unknown = || AuditError::UnknownStream {
            stream: stream.to_owned(),
            category: String::new(),
            known: Vec::new(),
        };
        let wanted = StreamId::parse(stream).map_err(|_| unknown())?;
        let remotes = remote::connect(services, calling).await?;
        match indexed(remotes, &wanted, moment, progress).await? {
            Indexed::Found(state) => return Ok(*state),
            Indexed::Nowhere => return Err(unknown()),
            Indexed::Unusable => {}
        }
    }
    let history = load::load_with(source, progress).await?;
    state::state(&history, stream, moment)
}

enum Indexed {
    Found(Box<EntityState>),
    Nowhere,
    /// A service has no index, or cannot use it now.
    Unusable,
}

async fn indexed(
    remotes: BTreeMap<crate::LogName, Remote>,
    stream: &StreamId,
    moment: Option<Moment>,
    progress: &dyn Progress,
) -> Result<Indexed, AuditError> {
    for (name, mut remote) in remotes {
        let found = match remote.stream(stream).await? {
            OneStream::Found(found) => found,
            OneStream::Unknown => continue,
            OneStream::NoIndex => return Ok(Indexed::Unusable),
        };
        let state = if folds_alone(name.service, stream.category()) {
            alone(&remote, stream, found, moment).await?
        } else {
            let mut log = Log::default();
            remote.read(&mut log, None, progress).await?;
            state::of_log(name, &log, stream.clone(), moment)?
        };
        return Ok(Indexed::Found(Box::new(state)));
    }
    Ok(Indexed::Nowhere)
}

async fn alone(
    remote: &Remote,
    stream: &StreamId,
    found: remote::StreamRecords,
    moment: Option<Moment>,
) -> Result<EntityState, AuditError> {
    let (log, end) = (remote.name, found.end);
    let at = match moment {
        None => end,
        Some(Moment::At(asked)) if asked > end => {
            return Err(AuditError::Beyond { log, end, asked });
        }
        Some(Moment::At(asked)) => asked,
        Some(Moment::Time(time)) => reached(remote, end, time).await?,
    };
    let at_time = match at {
        Position::ZERO => None,
        at => Some(remote.record(at).await?.recorded),
    };
    let fold = match log.service {
        Service::Order => fold::<Orders>,
        Service::Inventory => fold::<Stock>,
        Service::Logistics => fold::<Logistics>,
        Service::Notification => fold::<Notifications>,
    };
    let later = found.records.iter().filter(|raw| raw.position > at).count();
    let own: Vec<Raw> = found
        .records
        .into_iter()
        .take_while(|raw| raw.position <= at)
        // A command that has no end at the moment tells nothing, nor does one
        // that is void.
        .filter(|raw| raw.position.0 + u64::from(raw.unit_remaining) <= at.0)
        .filter(|raw| !found.voided.contains(&raw.position))
        .collect();
    let (states, state) = fold(stream, &own);
    let told = Told {
        name: log,
        at,
        at_time,
        state,
        states,
        later: later as u64,
    };
    Ok(told.entity(stream.clone(), own))
}

type States = (BTreeMap<Position, Option<String>>, Option<String>);

fn fold<D: Domain>(stream: &StreamId, own: &[Raw]) -> States {
    let mut folding = Folding::<D>::default();
    let mut states = BTreeMap::new();
    for raw in own {
        if folding.take(raw.clone()) {
            states.insert(raw.position, D::describe(&folding.state, stream));
        }
    }
    let state = D::describe(&folding.state, stream);
    (states, state)
}

/// The last record up to a time: a log's times never go back, so that it is
/// found in a few steps.
async fn reached(remote: &Remote, end: Position, time: Timestamp) -> Result<Position, AuditError> {
    let (mut within, mut behind) = (0, end.0 + 1);
    while behind - within > 1 {
        let middle = within + (behind - within) / 2;
        if remote.record(Position(middle)).await?.recorded <= time {
            within = middle;
        } else {
            behind = middle;
        }
    }
    Ok(Position(within))
}

/// That records are one stream's, all of them from the first on, in order.
pub(crate) fn continuous(stream: &StreamId, records: &[Raw]) -> Result<(), String> {
    let mut last = Position::ZERO;
    for (revision, raw) in (1..).map(Revision).zip(records) {
        if raw.stream != *stream || raw.revision != revision || raw.position <= last {
            return Err(format!(
                "revision {revision} of {stream} was to come behind position {last}, and the \
                 record at {} is revision {} of {}",
                raw.position, raw.revision, raw.stream
            ));
        }
        last = raw.position;
    }
    Ok(())
}
