//! From when until when a token counts, and what it must say.

use access::Refusal;
use decider::Role;
use serde_json::json;

use crate::support::{HOUR, NOW, check, check_with, claims, issuer, order};

#[test]
fn a_good_token_says_who_calls() {
    let caller = check(&issuer().issue(&order())).expect("a good token");
    assert_eq!(caller.subject, "li-dispatch");
    assert_eq!(caller.roles, [Role::Dispatcher]);
    assert!(caller.areas.holds("310115132"));
    assert!(!caller.areas.holds("310101002"));
    assert_eq!(caller.expires_secs, NOW + HOUR);
    let token = issuer().sign(&claims());
    assert_eq!(check(&token).expect("as good"), caller);
}

#[test]
fn it_expires_and_clocks_may_differ_a_little() {
    let token = issuer().issue(&order());
    let none = access::Revocations::default();
    assert!(check_with(&token, &none, NOW + HOUR + 29).is_ok());
    assert_eq!(
        check_with(&token, &none, NOW + HOUR + 30),
        Err(Refusal::Expired { ago_secs: 30 })
    );
    assert!(check_with(&token, &none, NOW - 30).is_ok());
    assert_eq!(
        check_with(&token, &none, NOW - 31),
        Err(Refusal::NotYetValid { in_secs: 31 })
    );
    let mut later = claims();
    later["nbf"] = json!(NOW + 60);
    let later = issuer().sign(&later);
    assert_eq!(check(&later), Err(Refusal::NotYetValid { in_secs: 60 }));
    assert!(check_with(&later, &none, NOW + 60).is_ok());
}

#[test]
fn issuer_and_audience_must_be_the_ones_trusted() {
    for (claim, value, reason) in [
        (
            "iss",
            json!("https://issuer.example/"),
            "TOKEN_OTHER_ISSUER",
        ),
        ("iss", json!(""), "TOKEN_OTHER_ISSUER"),
        ("aud", json!("baogong2"), "TOKEN_OTHER_AUDIENCE"),
        ("aud", json!([]), "TOKEN_OTHER_AUDIENCE"),
        ("aud", json!(["other"]), "TOKEN_OTHER_AUDIENCE"),
    ] {
        let mut other = claims();
        other[claim] = value;
        let refusal = check(&issuer().sign(&other)).expect_err("refused");
        assert_eq!(refusal.reason(), reason, "{other}");
    }
}

/// A claim of the wrong type must not be taken for one that is missing.
#[test]
fn claims_that_are_missing_or_of_a_wrong_type_refuse_it() {
    let wrong = [
        ("exp", json!(null), "TOKEN_MALFORMED"),
        ("exp", json!("4102444800"), "TOKEN_MALFORMED"),
        ("exp", json!(-1), "TOKEN_EXPIRED"),
        ("nbf", json!("0"), "TOKEN_MALFORMED"),
        ("iat", json!([]), "TOKEN_MALFORMED"),
        ("iss", json!(["https://issuer.example"]), "TOKEN_MALFORMED"),
        ("sub", json!(null), "TOKEN_MALFORMED"),
        ("sub", json!("li@example.com"), "TOKEN_CLAIM_UNUSABLE"),
        ("sub", json!(""), "TOKEN_CLAIM_UNUSABLE"),
        ("baogong", json!(null), "TOKEN_MALFORMED"),
        ("baogong", json!({}), "TOKEN_MALFORMED"),
        ("baogong", json!({"roles": []}), "TOKEN_CLAIM_UNUSABLE"),
        ("baogong", json!({"roles": "operator"}), "TOKEN_MALFORMED"),
        (
            "baogong",
            json!({"roles": ["system"]}),
            "TOKEN_CLAIM_UNUSABLE",
        ),
        (
            "baogong",
            json!({"roles": ["root"]}),
            "TOKEN_CLAIM_UNUSABLE",
        ),
        (
            "baogong",
            json!({"roles": ["operator"], "areas": ["*", "31"]}),
            "TOKEN_CLAIM_UNUSABLE",
        ),
        (
            "baogong",
            json!({"roles": ["carrier"], "carrier": "a b"}),
            "TOKEN_CLAIM_UNUSABLE",
        ),
    ];
    for (claim, value, reason) in wrong {
        let mut claims = claims();
        claims[claim] = value;
        let refusal = check(&issuer().sign(&claims)).expect_err("refused");
        assert_eq!(refusal.reason(), reason, "{claims}");
        assert!(refusal.is_unauthenticated());
    }
}

#[test]
fn an_id_can_stand_for_a_subject_that_is_no_code() {
    let mut claims = claims();
    claims["sub"] = json!("li@example.com");
    claims["baogong"]["id"] = json!("li-dispatch");
    let caller = check(&issuer().sign(&claims)).expect("a good token");
    assert_eq!(caller.subject, "li-dispatch");
}
