//! Tokens that nobody trusted has signed.

use access::{Issuer, KeySet, Presented, Refusal, Revocations, TOKEN_BYTES_MAX};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::json;

use crate::support::{NOW, check, claims, issuer, keys, order, part, trust};

fn reason(token: &str) -> &'static str {
    check(token).expect_err("refused").reason()
}

#[test]
fn a_changed_token_is_refused() {
    let token = issuer().issue(&order());
    let parts: Vec<&str> = token.split('.').collect();
    let mut richer = claims();
    richer["baogong"]["roles"] = json!(["operator"]);
    let changed = format!("{}.{}.{}", parts[0], part(&richer), parts[2]);
    assert_eq!(reason(&changed), "TOKEN_FORGED");
    // Any bit of the signature.
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).expect("base64");
    for bit in 0..signature.len() * 8 {
        let mut other = signature.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        let other = URL_SAFE_NO_PAD.encode(other);
        let changed = format!("{}.{}.{other}", parts[0], parts[1]);
        assert_eq!(reason(&changed), "TOKEN_FORGED", "bit {bit}");
    }
    assert_eq!(
        reason(&format!("{}.{}.", parts[0], parts[1])),
        "TOKEN_FORGED"
    );
}

#[test]
fn another_key_under_the_same_id_is_refused() {
    let other = Issuer::new([8; 32]);
    let token = other.issue(&order());
    assert_eq!(reason(&token), "TOKEN_KEY_UNKNOWN");
    let parts: Vec<&str> = token.split('.').collect();
    let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": issuer().kid()});
    // Signed anew below this header it would still be the wrong key.
    let message = format!("{}.{}", part(&header), parts[1]);
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[8; 32]).expect("a seed");
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
    assert_eq!(reason(&format!("{message}.{signature}")), "TOKEN_FORGED");
}

#[test]
fn no_signature_is_no_token() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({"alg": alg, "kid": issuer().kid()});
        let message = format!("{}.{}", part(&header), part(&claims()));
        assert_eq!(reason(&format!("{message}.")), "TOKEN_MALFORMED", "{alg}");
        assert_eq!(
            reason(&format!("{message}.AAAA")),
            "TOKEN_MALFORMED",
            "{alg}"
        );
    }
    let header = json!({"kid": issuer().kid()});
    let message = format!("{}.{}", part(&header), part(&claims()));
    assert_eq!(reason(&format!("{message}.")), "TOKEN_MALFORMED");
}

/// The public key is known to all; as an HMAC secret it must not do.
#[test]
fn the_public_key_is_no_secret_to_sign_with() {
    let jwks: serde_json::Value = serde_json::from_str(&issuer().jwks()).expect("JSON");
    let x = jwks["keys"][0]["x"].as_str().expect("a key");
    let raw = URL_SAFE_NO_PAD.decode(x).expect("base64");
    for secret in [raw.as_slice(), x.as_bytes(), issuer().jwks().as_bytes()] {
        let header = json!({"alg": "HS256", "kid": issuer().kid()});
        let message = format!("{}.{}", part(&header), part(&claims()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
        assert_eq!(
            reason(&format!("{message}.{tag}")),
            "TOKEN_ALGORITHM_REFUSED"
        );
    }
}

#[test]
fn a_symmetric_key_in_a_set_is_passed_over() {
    let oct = r#"{"keys":[{"kty":"oct","kid":"a","alg":"HS256","k":"AAAA"}]}"#;
    assert!(KeySet::parse(oct.as_bytes()).is_err());
}

/// The key's kind says the algorithm, not the token.
#[test]
fn the_algorithm_of_another_key_is_refused() {
    for alg in ["ES256", "RS256"] {
        let header = json!({"alg": alg, "kid": issuer().kid()});
        let token = format!("{}.{}.AAAA", part(&header), part(&claims()));
        assert_eq!(reason(&token), "TOKEN_ALGORITHM_REFUSED", "{alg}");
    }
    for alg in ["ES384", "PS256", "HS512"] {
        let header = json!({"alg": alg, "kid": issuer().kid()});
        let token = format!("{}.{}.AAAA", part(&header), part(&claims()));
        assert_eq!(reason(&token), "TOKEN_ALGORITHM_REFUSED", "{alg}");
    }
}

/// A token that brings its own key is not checked with it.
#[test]
fn a_key_in_the_header_is_not_used() {
    let own = Issuer::new([9; 32]);
    let jwks: serde_json::Value = serde_json::from_str(&own.jwks()).expect("JSON");
    let header = json!({"alg": "EdDSA", "jwk": jwks["keys"][0], "kid": own.kid()});
    let message = format!("{}.{}", part(&header), part(&claims()));
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&[9; 32]).expect("a seed");
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
    assert_eq!(
        reason(&format!("{message}.{signature}")),
        "TOKEN_KEY_UNKNOWN"
    );
}

#[test]
fn other_kinds_and_critical_extensions_are_refused() {
    for header in [
        json!({"alg": "EdDSA", "typ": "dpop+jwt", "kid": issuer().kid()}),
        json!({"alg": "EdDSA", "crit": ["exp"], "kid": issuer().kid()}),
    ] {
        let token = format!("{}.{}.AAAA", part(&header), part(&claims()));
        assert_eq!(reason(&token), "TOKEN_MALFORMED", "{header}");
    }
}

#[test]
fn garbage_is_refused_in_words() {
    let long = format!("a.b.{}", "c".repeat(TOKEN_BYTES_MAX));
    assert_eq!(reason(&long), "TOKEN_MALFORMED");
    assert_eq!(check(&long), Err(Refusal::TokenTooLarge));
    for garbage in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "\u{0}.\u{0}.\u{0}",
    ] {
        assert_eq!(reason(garbage), "TOKEN_MALFORMED", "{garbage:?}");
    }
    for header in [
        &b""[..],
        b"Bearer",
        b"Basic YTpi",
        b"bearer\ta.b.c",
        b"\xff\xfe x",
    ] {
        let refusal = Presented::from_header(header).expect_err("refused");
        assert_eq!(refusal, Refusal::NotBearer, "{header:?}");
    }
    let token = format!("bEARER {}", issuer().issue(&order()));
    assert!(Presented::from_header(token.as_bytes()).is_ok());
}

#[test]
fn keys_are_rotated_by_a_new_set() {
    let (old, new) = (issuer(), Issuer::new([8; 32]));
    let both = old.jwks().replace(
        "]}",
        &format!(",{}", new.jwks().trim_start_matches(r#"{"keys":["#)),
    );
    let both = KeySet::parse(both.as_bytes()).expect("two keys");
    let takes = |keys: &KeySet, issuer: &Issuer| {
        let token = issuer.issue(&order());
        let token = Presented::parse(&token).expect("a token");
        token.check(keys, &trust(), &Revocations::default(), NOW)
    };
    assert!(takes(&both, &old).is_ok() && takes(&both, &new).is_ok());
    assert_eq!(takes(&keys(&old), &new), Err(Refusal::UnknownKey));
    assert_eq!(takes(&keys(&new), &old), Err(Refusal::UnknownKey));
}

#[test]
fn es256_of_an_oidc_issuer_is_taken() {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let pair = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        document.expect("a key").as_ref(),
        &random,
    )
    .expect("a key");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwks = json!({"keys": [
        {"kty": "EC", "crv": "P-256", "use": "enc", "kid": "e", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "use": "sig", "kid": "s",
         "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)},
        {"kty": "of the future", "kid": "f"}
    ]});
    let keys = KeySet::parse(jwks.to_string().as_bytes()).expect("one key can be used");
    assert_eq!(keys.ids().collect::<Vec<_>>(), ["s"]);
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "s"});
    let message = format!("{}.{}", part(&header), part(&claims()));
    let signature = pair.sign(&random, message.as_bytes()).expect("signed");
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    let checked = |token: &str| {
        let token = Presented::parse(token).expect("a token");
        token.check(&keys, &trust(), &Revocations::default(), NOW)
    };
    assert!(checked(&token).is_ok());
    assert_eq!(checked(&format!("{message}.AAAA")), Err(Refusal::Signature));
}

#[test]
fn a_key_set_is_refused_in_words() {
    for (json, why) in [
        ("", "no key set"),
        ("[]", "no key set"),
        (r#"{"keys":[]}"#, "no key of the set can be used"),
        (
            r#"{"keys":[{"kty":"OKP","crv":"X25519","x":"AA"}]}"#,
            "can be used",
        ),
    ] {
        let error = KeySet::parse(json.as_bytes()).err().expect("refused");
        assert!(error.to_string().contains(why), "{json}: {error}");
    }
    let one = issuer().jwks();
    let twice = one.replace(
        "]}",
        &format!(",{}", one.trim_start_matches(r#"{"keys":["#)),
    );
    assert!(KeySet::parse(twice.as_bytes()).is_err());
}
