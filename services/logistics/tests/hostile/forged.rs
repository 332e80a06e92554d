//! Tokens that are none.

use access::{Issuer, TokenOrder};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use decider::Role;
use tonic::Code;

use crate::site::{ISSUER, LIST, Site, acme, grant, issuer, list_of, logged, now_secs, refused};

fn order() -> TokenOrder<'static> {
    TokenOrder {
        issuer: ISSUER,
        audience: "baogong",
        subject: "acme-dispatch",
        token_id: "01J0000000000000000000000B",
        now_secs: now_secs(),
        ttl_secs: 3_600,
        grant: grant(Role::Carrier, Some("acme")),
    }
}

/// The claims and the signature of a good token under another header.
fn under(header: &str) -> String {
    let good = acme();
    let (_, rest) = good.split_once('.').expect("three parts");
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
}

/// The public key, which everybody has, taken for a secret of HMAC.
fn key_confusion() -> String {
    under(&format!(r#"{{"alg":"HS256","kid":"{}"}}"#, issuer().kid()))
}

fn another_firms_claims() -> String {
    let good = acme();
    let mut parts = good.split('.').map(str::to_owned).collect::<Vec<_>>();
    let claims = URL_SAFE_NO_PAD.decode(&parts[1]).expect("base64url");
    let claims = String::from_utf8(claims)
        .expect("JSON")
        .replace("acme", "globex");
    parts[1] = URL_SAFE_NO_PAD.encode(claims);
    parts.join(".")
}

#[tokio::test]
async fn every_token_that_is_none_is_refused_and_logged() {
    let site = Site::start().await;
    let other_issuer = Issuer::new([9; 32]);
    let none = {
        let good = under(r#"{"alg":"none"}"#);
        let (signed, _) = good.rsplit_once('.').expect("three parts");
        format!("{signed}.")
    };
    let es256 = under(&format!(r#"{{"alg":"ES256","kid":"{}"}}"#, issuer().kid()));
    let key_by_name = under(r#"{"alg":"EdDSA","kid":"../../etc/passwd"}"#);
    let issued = |order: TokenOrder<'_>| issuer().issue(&order);
    let early = order().now_secs + 3_600;
    let not_yet = issuer().sign(&serde_json::json!({
        "iss": ISSUER, "aud": "baogong", "sub": "acme-dispatch", "exp": early + 60, "nbf": early,
        "baogong": grant(Role::Carrier, Some("acme")),
    }));
    for (what, token, reason) in [
        ("no signature", none, "TOKEN_MALFORMED"),
        (
            "a secret that all know",
            key_confusion(),
            "TOKEN_ALGORITHM_REFUSED",
        ),
        ("another algorithm", es256, "TOKEN_ALGORITHM_REFUSED"),
        (
            "a key of his own",
            other_issuer.issue(&order()),
            "TOKEN_KEY_UNKNOWN",
        ),
        ("a key that is a path", key_by_name, "TOKEN_KEY_UNKNOWN"),
        ("changed claims", another_firms_claims(), "TOKEN_FORGED"),
        (
            "expired",
            issued(TokenOrder {
                now_secs: now_secs() - 7_200,
                ..order()
            }),
            "TOKEN_EXPIRED",
        ),
        ("from tomorrow on", not_yet, "TOKEN_NOT_YET_VALID"),
        (
            "for others",
            issued(TokenOrder {
                audience: "elsewhere",
                ..order()
            }),
            "TOKEN_OTHER_AUDIENCE",
        ),
        (
            "of others",
            issued(TokenOrder {
                issuer: "elsewhere",
                ..order()
            }),
            "TOKEN_OTHER_ISSUER",
        ),
        ("text", "x".repeat(100), "TOKEN_MALFORMED"),
        ("long", "x".repeat(9_000), "TOKEN_MALFORMED"),
    ] {
        let answer = site.send(LIST, &token, list_of("acme")).await;
        let wanted = (Code::Unauthenticated, reason.to_owned());
        assert_eq!(refused(answer), wanted, "{what}");
        assert!(logged(&["refused", reason]), "{what}");
        assert!(
            !logged(&[&token[..token.len().min(60)]]),
            "no token in the log"
        );
    }
    site.still_serves_another().await;
}

#[tokio::test]
async fn a_token_that_was_good_is_looked_at_again_at_each_call() {
    let site = Site::start().await;
    // So short that it ends while it is kept as checked; 30 s are allowed for
    // clocks that differ.
    let short = issuer().issue(&TokenOrder {
        now_secs: now_secs() - 100,
        ttl_secs: 71,
        ..order()
    });
    let called = site.send(LIST, &short, list_of("acme")).await;
    assert!(called.is_ok(), "{called:?}");
    let ended = async {
        loop {
            match site.send(LIST, &short, list_of("acme")).await {
                Ok(_) => tokio::task::yield_now().await,
                refusal => break refused(refusal),
            }
        }
    };
    let ended = tokio::time::timeout(crate::site::PATIENCE, ended).await;
    assert_eq!(ended.expect("it ends").1, "TOKEN_EXPIRED");
}
