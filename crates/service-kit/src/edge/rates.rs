//! How often each caller may call (`governor`, the generic cell rate
//! algorithm). Memory is bounded: callers who have been quiet are forgotten,
//! and when too many are at it, those who come new share one allowance.

use std::{
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use ::access::{Caller, Class};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::DashMapStateStore,
};

use super::{LimitsOptions, Rate};

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    Caller {
        subject: String,
        carrier: Option<String>,
    },
    /// Without a token: an address, of IPv6 the network of 64 bits, since that
    /// is what one host is given.
    Peer(IpAddr),
    /// All for whom there is no room.
    Rest,
}

impl Who {
    #[must_use]
    pub fn caller(caller: &Caller) -> Self {
        Self::Caller {
            subject: caller.subject.clone(),
            carrier: caller.carrier.clone(),
        }
    }

    #[must_use]
    pub fn peer(address: IpAddr) -> Self {
        Self::Peer(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            v4 @ IpAddr::V4(_) => v4,
        })
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller {
                subject,
                carrier: None,
            } => f.write_str(subject),
            Self::Caller {
                subject,
                carrier: Some(carrier),
            } => write!(f, "{subject} of {carrier}"),
            Self::Peer(address) => address.fmt(f),
            Self::Rest => f.write_str("callers beyond limits.callers_max"),
        }
    }
}

struct Allowance {
    limiter: RateLimiter<Who, DashMapStateStore<Who>, DefaultClock>,
    callers_max: usize,
}

impl Allowance {
    fn new(rate: Rate, callers_max: usize) -> Self {
        let at_least_one = |value| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(rate.per_sec));
        Self {
            limiter: RateLimiter::dashmap(quota.allow_burst(at_least_one(rate.burst))),
            callers_max,
        }
    }

    /// One call; or how long until there may be one.
    fn take(&self, who: &Who) -> Result<(), Duration> {
        let no = |until: governor::NotUntil<_>| until.wait_time_from(self.limiter.clock().now());
        if self.limiter.len() < self.callers_max {
            return self.limiter.check_key(who).map_err(no);
        }
        // Quiet callers have all their allowance again, as if they were new.
        self.limiter.retain_recent();
        let who = if self.limiter.len() < self.callers_max {
            who
        } else {
            &Who::Rest
        };
        self.limiter.check_key(who).map_err(no)
    }
}

/// The allowances of all callers.
pub(crate) struct Rates {
    reads: Allowance,
    writes: Allowance,
    reports: Allowance,
    watches: Allowance,
    strangers: Allowance,
}

impl Rates {
    pub(crate) fn new(options: &LimitsOptions) -> Self {
        let of = |class| Allowance::new(options.rate(class), options.callers_max);
        Self {
            reads: of(Class::Read),
            writes: of(Class::Write),
            reports: of(Class::Report),
            watches: of(Class::Watch),
            strangers: Allowance::new(options.strangers, options.callers_max),
        }
    }

    fn of(&self, class: Class) -> &Allowance {
        match class {
            Class::Public | Class::Read | Class::Admin => &self.reads,
            Class::Write => &self.writes,
            Class::Report => &self.reports,
            Class::Watch => &self.watches,
        }
    }

    /// A call of a class.
    ///
    /// # Errors
    /// How long until there may be one.
    pub(crate) fn call(&self, class: Class, who: &Who) -> Result<(), Duration> {
        self.of(class).take(who)
    }

    /// A call without a token, or with one that must be checked.
    ///
    /// # Errors
    /// How long until there may be one.
    pub(crate) fn stranger(&self, address: IpAddr) -> Result<(), Duration> {
        self.strangers.take(&Who::peer(address))
    }

    pub(crate) fn forget_the_idle(&self) {
        for allowance in [
            &self.reads,
            &self.writes,
            &self.reports,
            &self.watches,
            &self.strangers,
        ] {
            allowance.limiter.retain_recent();
            allowance.limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(subject: impl Into<String>) -> Who {
        Who::Caller {
            subject: subject.into(),
            carrier: None,
        }
    }

    fn rates(per_sec: u32, burst: u32, callers_max: usize) -> Rates {
        Rates::new(&LimitsOptions {
            writes: Rate { per_sec, burst },
            callers_max,
            ..LimitsOptions::default()
        })
    }

    #[test]
    fn each_caller_has_his_own_allowance_and_is_told_the_true_time() {
        let rates = rates(1, 3, 100);
        for _ in 0..3 {
            assert!(rates.call(Class::Write, &named("a")).is_ok());
        }
        let wait = rates.call(Class::Write, &named("a")).expect_err("used up");
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        assert!(
            rates.call(Class::Write, &named("b")).is_ok(),
            "another caller"
        );
        assert!(
            rates.call(Class::Read, &named("a")).is_ok(),
            "another class"
        );
    }

    #[test]
    fn callers_without_end_take_no_memory_without_end() {
        // An allowance that comes back in an hour, so that nobody is forgotten.
        let rates = rates(1, 3600, 100);
        for n in 0..10_000 {
            let _ = rates.call(Class::Write, &named(format!("caller-{n}")));
        }
        assert!(
            rates.writes.limiter.len() <= 101,
            "{}",
            rates.writes.limiter.len()
        );
    }

    #[test]
    fn a_host_is_one_caller_whichever_of_its_addresses_it_uses() {
        let peer = |text: &str| Who::peer(text.parse().expect("an address"));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
    }
}
