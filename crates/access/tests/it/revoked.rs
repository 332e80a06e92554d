//! Tokens that were taken back.

use access::{Refusal, Revocations};

use crate::support::{NOW, check_with, issuer, order};

fn check(revocations: &str) -> Result<access::Caller, Refusal> {
    let revocations = Revocations::parse(revocations).expect("lines");
    check_with(&issuer().issue(&order()), &revocations, NOW + 10)
}

#[test]
fn a_token_is_revoked_by_its_id() {
    assert_eq!(
        check("token 01J0000000000000000000000A"),
        Err(Refusal::Revoked)
    );
    assert!(check("token 01J0000000000000000000000B").is_ok());
}

#[test]
fn a_subject_is_revoked_until_it_gets_a_new_token() {
    let revoked = format!("subject li-dispatch {}", NOW + 1);
    assert_eq!(check(&revoked), Err(Refusal::Revoked));
    let before = format!("subject li-dispatch {NOW}");
    assert!(check(&before).is_ok());
    assert!(check(&format!("subject somebody {}", NOW + 1)).is_ok());
}

/// A token that does not say when it was issued cannot have been issued later.
#[test]
fn a_token_without_a_time_is_revoked_with_its_subject() {
    let mut claims = crate::support::claims();
    claims.as_object_mut().expect("claims").remove("iat");
    let revocations = Revocations::parse("subject li-dispatch 1").expect("a line");
    let token = issuer().sign(&claims);
    assert_eq!(check_with(&token, &revocations, NOW), Err(Refusal::Revoked));
}

/// The firm changes over in an hour; what was issued meanwhile goes on.
#[test]
fn a_firms_tokens_are_revoked_from_a_moment_on() {
    let mut grant = crate::support::grant(&["carrier"], &["310115"]);
    grant.carrier = Some("acme".to_owned());
    let token = |now_secs| {
        let order = access::TokenOrder {
            now_secs,
            grant: grant.clone(),
            ..order()
        };
        issuer().issue(&order)
    };
    let text = format!("carrier acme {} {}", NOW + 1, NOW + 600);
    let revocations = Revocations::parse(&text).expect("a line");
    let old = token(NOW);
    assert!(check_with(&old, &revocations, NOW + 599).is_ok());
    let refused = check_with(&old, &revocations, NOW + 600);
    assert_eq!(refused, Err(Refusal::Revoked));
    assert!(check_with(&token(NOW + 1), &revocations, NOW + 600).is_ok());
    let others = Revocations::parse(&format!("carrier other {}", NOW + 1)).expect("a line");
    assert!(check_with(&old, &others, NOW + 600).is_ok());
}
