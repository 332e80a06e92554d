//! Decides on each call, and says no in the words of gRPC.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use access::{Caller, Presented, Refusal, RuleError, Rules, Scope, Trust};
use decider::{Role, Service};
use tonic::{Code, Status, codegen::http};

use super::{
    AccessMode, AccessOptions,
    keys::{Keys, RevocationFile, SourceError},
    now_secs,
    verified::Verified,
};
use crate::{
    edge::{LimitsOptions, Rates, Told},
    status,
};

/// Tells the records of a log.
const READ: &str = "/baogong.log.v1.LogService/Read";

#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("the rules of access in the protos cannot be used: {0}")]
    Rules(#[from] RuleError),
    #[error("[access]: {0}")]
    Source(#[from] SourceError),
}

/// What tokens are checked with.
struct Tokens {
    trust: Trust,
    keys: Keys,
    revocations: RevocationFile,
    refresh: Duration,
    verified: Verified,
}

/// Decides who may call; one for each service.
pub struct Guard {
    service: Service,
    rules: Rules,
    /// `None` in the mode `open`.
    tokens: Option<Tokens>,
    /// How often an address may come with what must be checked first.
    rates: Rates,
    told: Told,
}

/// What was decided of a call.
pub(super) enum Admitted {
    /// Nothing else is asked.
    Free,
    /// Each request must be within this.
    Within(Box<Caller>, Box<Scope>),
}

impl Guard {
    /// Reads rules, keys and revocations.
    ///
    /// # Errors
    /// One of them cannot be used.
    pub async fn open(service: Service, options: &AccessOptions) -> Result<Arc<Self>, AccessError> {
        Self::open_within(service, options, &LimitsOptions::default()).await
    }

    /// As [`Self::open`], with other limits for strangers than the usual.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_within(
        service: Service,
        options: &AccessOptions,
        limits: &LimitsOptions,
    ) -> Result<Arc<Self>, AccessError> {
        let rules = Rules::of_the_suite()?;
        let tokens = match options.mode {
            AccessMode::Open => None,
            AccessMode::Tokens => Some(Tokens {
                trust: Trust {
                    issuer: options.issuer.clone(),
                    audience: options.audience.clone(),
                    leeway_secs: options.leeway_secs,
                },
                keys: Keys::open(options).await?,
                revocations: RevocationFile::open(&options.revocations_file)?,
                refresh: Duration::from_secs(options.jwks_refresh_secs),
                verified: Verified::new(),
            }),
        };
        Ok(Arc::new(Self {
            service,
            rules,
            tokens,
            rates: Rates::new(limits),
            told: Told::new(service),
        }))
    }

    /// Says so where nobody is asked for a token.
    pub fn warn_if_open(&self, address: SocketAddr) {
        if self.tokens.is_some() {
            return;
        }
        if address.ip().is_loopback() {
            tracing::warn!(
                "access.mode is \"open\": every program on this machine may do everything at \
                 {address}"
            );
        } else {
            tracing::error!(
                "ACCESS IS OPEN: EVERYBODY WHO REACHES {address} MAY DO EVERYTHING, since \
                 access.mode is \"open\" and access.open_beyond_loopback is set"
            );
        }
    }

    /// Fetches the keys again, time after time; never ends.
    pub async fn keep_fresh(self: Arc<Self>) -> anyhow::Result<()> {
        let Some(tokens) = &self.tokens else {
            return std::future::pending().await;
        };
        loop {
            tokio::time::sleep(tokens.refresh).await;
            tokens.keys.refresh().await;
        }
    }

    pub(super) async fn admit(
        &self,
        path: &str,
        headers: &http::HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Admitted, Status> {
        let Some(rule) = self.rules.get(path) else {
            let exists = self.rules.without().iter().any(|known| known == path);
            return Err(if exists {
                self.refused(path, &Refusal::NoRule)
            } else {
                status::status(
                    self.service,
                    Code::Unimplemented,
                    "METHOD_UNKNOWN",
                    "the suite has no such method",
                )
            });
        };
        let Some(tokens) = self.tokens.as_ref().filter(|_| !rule.public) else {
            return Ok(Admitted::Free);
        };
        let caller = self.caller(tokens, headers, from).await;
        let caller = caller.map_err(|no| no.into_status(self, path))?;
        let admitted = role(headers).and_then(|wanted| Rules::admit(rule, caller, wanted));
        let (caller, scope) = admitted.map_err(|refusal| self.refused(path, &refusal))?;
        let named = headers.get("baogong-actor");
        if named.is_some_and(|named| named.as_bytes() != caller.subject.as_bytes()) {
            return Err(self.refused(path, &Refusal::OtherActor));
        }
        Ok(Admitted::Within(Box::new(caller), Box::new(scope)))
    }

    /// Whether records may be told over plain HTTP to whoever sends these
    /// headers: as in `LogService.Read`, which tells the same.
    ///
    /// # Errors
    /// The status that `LogService.Read` would end with.
    pub async fn may_read_records(
        &self,
        headers: &http::HeaderMap,
        from: IpAddr,
    ) -> Result<(), Status> {
        match self.admit(READ, headers, Some(from)).await? {
            Admitted::Free => Ok(()),
            // No area is named: all of them must be the caller's.
            Admitted::Within(_, scope) => scope
                .check(&[])
                .map_err(|refusal| self.refused(READ, &refusal)),
        }
    }

    /// Whether callers must show tokens.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.tokens.is_some()
    }

    async fn caller(
        &self,
        tokens: &Tokens,
        headers: &http::HeaderMap,
        from: Option<IpAddr>,
    ) -> Result<Caller, No> {
        let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
        let value = match (values.next(), values.next()) {
            (Some(value), None) => value.as_bytes(),
            (first, _) => {
                self.is_stranger(from)?;
                return Err(match first {
                    None => Refusal::NoToken.into(),
                    Some(_) => Refusal::NotBearer.into(),
                });
            }
        };
        let digest = Verified::digest(value);
        if let Some(keys) = tokens.keys.now()
            && let Some(caller) = tokens.verified.get(&digest, &keys)
        {
            self.still(&caller)?;
            return Ok((*caller).clone());
        }
        // Whoever floods an address with tokens that are none takes the time
        // of those who come from it for the first time, not of those who are
        // known.
        self.is_stranger(from)?;
        let token = Presented::from_header(value)?;
        let keys = tokens.keys.with(token.key_id()).await;
        let keys = keys.ok_or(No::KeysAway)?;
        let revocations = tokens.revocations.current();
        let caller = token.check(&keys, &tokens.trust, &revocations, now_secs())?;
        tokens.verified.put(digest, keys, caller.clone());
        Ok(caller)
    }

    fn is_stranger(&self, from: Option<IpAddr>) -> Result<(), No> {
        let Some(address) = from else { return Ok(()) };
        self.rates.stranger(address).map_err(|wait| No::TooMany {
            address: address.to_string(),
            wait,
        })
    }

    /// Whether a token that was good when its call began still is.
    pub(super) fn still(&self, caller: &Caller) -> Result<(), Refusal> {
        let Some(tokens) = &self.tokens else {
            return Ok(());
        };
        let now = now_secs();
        if caller.expires_secs.saturating_add(tokens.trust.leeway_secs) <= now {
            return Err(Refusal::Expired {
                ago_secs: now.saturating_sub(caller.expires_secs),
            });
        }
        if tokens.revocations.current().covers(caller, now) {
            return Err(Refusal::Revoked);
        }
        Ok(())
    }

    /// The status of a refusal, which is counted and logged.
    pub(super) fn refused(&self, path: &str, refusal: &Refusal) -> Status {
        let reason = refusal.reason();
        metrics::counter!(
            "baogong_access_refused_total",
            "service" => self.service.name(), "reason" => reason
        )
        .increment(1);
        if let Some(others) = self.told.may_tell(reason) {
            tracing::info!(
                service = %self.service, method = path, reason, others, "refused: {refusal}"
            );
        }
        let code = if refusal.is_unauthenticated() {
            Code::Unauthenticated
        } else if matches!(refusal, Refusal::Unreadable) {
            Code::InvalidArgument
        } else {
            Code::PermissionDenied
        };
        status::status(self.service, code, reason, refusal.to_string())
    }

    pub(super) const fn service(&self) -> Service {
        self.service
    }
}

enum No {
    Refused(Refusal),
    KeysAway,
    TooMany { address: String, wait: Duration },
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl No {
    fn into_status(self, guard: &Guard, path: &str) -> Status {
        match self {
            Self::Refused(refusal) => guard.refused(path, &refusal),
            Self::TooMany { address, wait } => {
                guard.told.refused("RATE_LIMITED", &address, path);
                status::retry_in(
                    guard.service,
                    Code::ResourceExhausted,
                    "RATE_LIMITED",
                    format!(
                        "too many calls came from {address} without a token, or with one that is \
                         new here; come again in {} ms",
                        wait.as_millis().saturating_add(1)
                    ),
                    wait,
                )
            }
            Self::KeysAway => status::retry(
                guard.service,
                Code::Unavailable,
                "KEYS_AWAY",
                "the issuer's keys could not be fetched yet, so no token can be checked",
            ),
        }
    }
}

/// The role in which the caller says he acts.
fn role(headers: &http::HeaderMap) -> Result<Option<Role>, Refusal> {
    let Some(value) = headers.get("baogong-role") else {
        return Ok(None);
    };
    let role = value.to_str().ok().and_then(Role::parse);
    match role {
        None | Some(Role::System) => Err(Refusal::OtherRole),
        role => Ok(role),
    }
}
