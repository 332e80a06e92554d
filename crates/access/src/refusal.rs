//! Why a call is refused. The texts go to whoever called: they say what to do
//! and repeat nothing of the token.

use decider::Role;

/// A call that is not let through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "this method needs a token: send the metadata `authorization: Bearer <token>`; an operator \
         makes one with `baogong token issue`"
    )]
    NoToken,
    #[error("the metadata `authorization` must be one value, `Bearer <token>`")]
    NotBearer,
    #[error("the token is longer than {max} bytes", max = crate::TOKEN_BYTES_MAX)]
    TokenTooLarge,
    #[error("this is no token: {0}")]
    Malformed(&'static str),
    #[error("the token's algorithm is not taken; EdDSA, ES256 and RS256 are")]
    Algorithm,
    #[error(
        "no key that is known here signed the token. It is of another issuer, or the issuer has \
         replaced its key: ask for a new token"
    )]
    UnknownKey,
    #[error("the token's signature is not right; ask for a new token")]
    Signature,
    #[error("the token expired {ago_secs} s ago; ask for a new one")]
    Expired { ago_secs: u64 },
    #[error("the token is valid from {in_secs} s from now on; compare the clocks")]
    NotYetValid { in_secs: u64 },
    #[error("the token is of another issuer than {wanted}")]
    Issuer { wanted: String },
    #[error("the token is not meant for {wanted}: ask for one with this audience")]
    Audience { wanted: String },
    #[error("the token was revoked; ask for a new one, if you are to have one")]
    Revoked,
    #[error("the token's claim `{claim}` cannot be used: {why}")]
    Claim {
        claim: &'static str,
        why: &'static str,
    },

    #[error("this method is for {allowed}; the token is of {held}")]
    Role { allowed: String, held: String },
    #[error("the metadata `baogong-role` names a role that the token does not have")]
    OtherRole,
    #[error("the metadata `baogong-actor` is not the token's subject; leave it out")]
    OtherActor,
    #[error("{field} names an area that is not among the token's ({areas})")]
    Area { field: String, areas: String },
    #[error("this method speaks of all areas, and the token is limited to some")]
    AllAreas,
    #[error("a resident may name no household but his own; {0} names another, or none")]
    Household(String),
    #[error("a carrier may name no firm but its own; {0} names another, or none")]
    Carrier(String),
    #[error("a resident may name nobody but himself; {0} names another, or nobody")]
    Subject(String),
    #[error("the request cannot be read as its method's message")]
    Unreadable,
    #[error("no rule says who may call this method, so nobody may")]
    NoRule,
}

impl Refusal {
    /// The stable `reason` of the error's `ErrorInfo`.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoToken => "TOKEN_MISSING",
            Self::NotBearer | Self::Malformed(_) | Self::TokenTooLarge => "TOKEN_MALFORMED",
            Self::Algorithm => "TOKEN_ALGORITHM_REFUSED",
            Self::UnknownKey => "TOKEN_KEY_UNKNOWN",
            Self::Signature => "TOKEN_FORGED",
            Self::Expired { .. } => "TOKEN_EXPIRED",
            Self::NotYetValid { .. } => "TOKEN_NOT_YET_VALID",
            Self::Issuer { .. } => "TOKEN_OTHER_ISSUER",
            Self::Audience { .. } => "TOKEN_OTHER_AUDIENCE",
            Self::Revoked => "TOKEN_REVOKED",
            Self::Claim { .. } => "TOKEN_CLAIM_UNUSABLE",
            Self::Role { .. } | Self::OtherRole => "ROLE_NOT_ALLOWED",
            Self::OtherActor => "ACTOR_NOT_YOU",
            Self::Area { .. } | Self::AllAreas => "AREA_NOT_YOURS",
            Self::Household(_) => "HOUSEHOLD_NOT_YOURS",
            Self::Carrier(_) => "CARRIER_NOT_YOURS",
            Self::Subject(_) => "SUBJECT_NOT_YOU",
            Self::Unreadable => "REQUEST_UNREADABLE",
            Self::NoRule => "METHOD_WITHOUT_RULE",
        }
    }

    /// Whether another token of the same bearer could help: who calls is not
    /// known. Otherwise he is known, and may not.
    #[must_use]
    pub const fn is_unauthenticated(&self) -> bool {
        matches!(
            self,
            Self::NoToken
                | Self::NotBearer
                | Self::TokenTooLarge
                | Self::Malformed(_)
                | Self::Algorithm
                | Self::UnknownKey
                | Self::Signature
                | Self::Expired { .. }
                | Self::NotYetValid { .. }
                | Self::Issuer { .. }
                | Self::Audience { .. }
                | Self::Revoked
                | Self::Claim { .. }
        )
    }

    pub(crate) fn role(allowed: &[Role], held: &[Role]) -> Self {
        let names = |roles: &[Role]| {
            let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
            names.join(", ")
        };
        Self::Role {
            allowed: names(allowed),
            held: names(held),
        }
    }
}
