//! Who calls, and what he may: bearer tokens (JWT, RFC 7519), the keys that
//! they are checked against (JWKS, RFC 7517), and the rules of every method
//! (`baogong.access.v1.rule` in the protos).
//!
//! It decides and nothing else: no clock, no network, no files. Time comes in
//! as seconds since 1970; `service_kit::access` brings the rest.

mod caller;
mod claims;
mod crypto;
mod issuer;
mod jwks;
mod methods;
mod refusal;
mod revocation;
mod rules;
mod scope;
mod token;

pub use caller::{Areas, AreasError, Caller};
pub use claims::Grant;
pub use issuer::{Issuer, IssuerError, TokenOrder};
pub use jwks::{JwksError, KeySet};
pub use methods::{Class, Method, Methods};
pub use refusal::Refusal;
pub use revocation::{Older, Revocation, RevocationError, Revocations};
pub use rules::{Rule, RuleError, Rules};
pub use scope::{FieldPath, Scope};
pub use token::{Presented, TOKEN_BYTES_MAX, Trust, claimed_id};
