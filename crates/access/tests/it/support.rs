//! An issuer, its keys, and tokens of any make.

use access::{Caller, Grant, Issuer, KeySet, Presented, Refusal, Revocations, TokenOrder, Trust};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

pub const NOW: u64 = 1_758_700_000;
pub const HOUR: u64 = 3_600;

pub fn issuer() -> Issuer {
    Issuer::new([7; 32])
}

pub fn trust() -> Trust {
    Trust {
        issuer: "https://issuer.example".to_owned(),
        audience: "baogong".to_owned(),
        leeway_secs: 30,
    }
}

pub fn grant(roles: &[&str], areas: &[&str]) -> Grant {
    let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Grant {
        roles: texts(roles),
        areas: texts(areas),
        ..Grant::default()
    }
}

/// What a good token says.
pub fn order() -> TokenOrder<'static> {
    TokenOrder {
        issuer: "https://issuer.example",
        audience: "baogong",
        subject: "li-dispatch",
        token_id: "01J0000000000000000000000A",
        now_secs: NOW,
        ttl_secs: HOUR,
        grant: grant(&["dispatcher"], &["310115"]),
    }
}

pub fn keys(issuer: &Issuer) -> KeySet {
    KeySet::parse(issuer.jwks().as_bytes()).expect("a key set")
}

pub fn check(token: &str) -> Result<Caller, Refusal> {
    check_with(token, &Revocations::default(), NOW)
}

pub fn check_with(token: &str, revocations: &Revocations, now: u64) -> Result<Caller, Refusal> {
    Presented::parse(token)?.check(&keys(&issuer()), &trust(), revocations, now)
}

/// The claims of a good token, to be changed.
pub fn claims() -> serde_json::Value {
    serde_json::json!({
        "iss": "https://issuer.example",
        "aud": ["other", "baogong"],
        "sub": "li-dispatch",
        "exp": NOW + HOUR,
        "iat": NOW,
        "jti": "01J0000000000000000000000A",
        "baogong": {"roles": ["dispatcher"], "areas": ["310115"]},
        "email": "is passed over"
    })
}

/// A part of a token.
pub fn part(json: &serde_json::Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}
