//! What a token says (RFC 7519), with the suite's own part in one claim:
//! `"baogong": {"roles": [...], "areas": [...], "carrier": ..., "household": ...}`.
//! An OIDC issuer is set up to add that claim; all else is standard.

use decider::{Role, is_code};
use serde::{Deserialize, Serialize};

use crate::{Areas, Caller, Refusal};

/// What its issuer grants the bearer of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names of [`Role`]s; at least one.
    pub roles: Vec<String>,
    /// See [`Areas`]; none where it is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub areas: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub household: Option<String>,
    /// Stands for `sub` in the suite's records, where an issuer's subjects are
    /// no codes, or say more of a person than a record may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn holds(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

/// The claims of a token; times in seconds since 1970. Unknown claims are
/// passed over, as the standard wants it; one of ours of the wrong type refuses
/// the token.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Claims {
    pub iss: String,
    aud: Audience,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    pub jti: Option<String>,
    baogong: Grant,
}

/// A numeric date, which may have a fraction; what is not a time is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and a time before 1970 is as good as 1970"
)]
const fn secs(date: f64) -> u64 {
    date as u64
}

impl Claims {
    pub(crate) fn check_audience(&self, wanted: &str) -> Result<(), Refusal> {
        if self.aud.holds(wanted) {
            return Ok(());
        }
        Err(Refusal::Audience {
            wanted: wanted.to_owned(),
        })
    }

    /// `leeway_secs` allows for clocks that differ.
    pub(crate) fn check_times(&self, now_secs: u64, leeway_secs: u64) -> Result<(), Refusal> {
        let expires = secs(self.exp);
        if expires.saturating_add(leeway_secs) <= now_secs {
            return Err(Refusal::Expired {
                ago_secs: now_secs.saturating_sub(expires),
            });
        }
        let begins = secs(self.nbf.unwrap_or_default()).max(secs(self.iat.unwrap_or_default()));
        if begins > now_secs.saturating_add(leeway_secs) {
            return Err(Refusal::NotYetValid {
                in_secs: begins - now_secs,
            });
        }
        Ok(())
    }

    pub(crate) fn caller(&self) -> Result<Caller, Refusal> {
        let grant = &self.baogong;
        let subject = grant.id.as_ref().unwrap_or(&self.sub);
        let code = |what: &'static str, value: &str| {
            if is_code(value) {
                Ok(value.to_owned())
            } else {
                Err(Refusal::Claim {
                    claim: what,
                    why: "1 to 64 characters of A-Z a-z 0-9 _ . - are needed, no name of a person",
                })
            }
        };
        let roles = grant.roles.iter().map(|name| match Role::parse(name) {
            None | Some(Role::System) => Err(Refusal::Claim {
                claim: "baogong.roles",
                why: "it names a role that the suite does not have",
            }),
            Some(role) => Ok(role),
        });
        let roles: Vec<Role> = roles.collect::<Result<_, _>>()?;
        if roles.is_empty() {
            return Err(Refusal::Claim {
                claim: "baogong.roles",
                why: "it is empty; without a role nothing may be called",
            });
        }
        let areas = Areas::parse(&grant.areas).map_err(|_| Refusal::Claim {
            claim: "baogong.areas",
            why: "codes of 2, 4, 6 or 9 digits are needed, or `*` alone",
        })?;
        let optional = |what, value: &Option<String>| {
            let value = value.as_deref();
            value.map(|value| code(what, value)).transpose()
        };
        Ok(Caller {
            subject: code("sub", subject)?,
            sub: self.sub.clone(),
            roles,
            acting: None,
            areas,
            carrier: optional("baogong.carrier", &grant.carrier)?,
            household: optional("baogong.household", &grant.household)?,
            token_id: self.jti.clone(),
            issued_secs: self.iat.map(secs),
            expires_secs: secs(self.exp),
        })
    }
}
