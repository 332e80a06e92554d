//! Texts that others write: tokens, key sets, revocations, page tokens, names
//! of streams, receipts, checkpoints, policies, cosigning requests, addresses
//! of webhooks. The first byte chooses.
#![no_main]

use access::{KeySet, Presented, Revocations, Trust};
use decider::{Service, StreamId};
use logistics::webhook::address::Policy;
use transparency::{AddCheckpoint, Checkpoint, Origin, PublicKey, Receipt, TilePath};

const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn token(text: &str) {
    let keys = KeySet::parse(KEYS.as_bytes()).expect("a key set");
    let trust = Trust {
        issuer: "issuer".into(),
        audience: "baogong".into(),
        leeway_secs: 30,
    };
    if let Ok(token) = Presented::from_header(text.as_bytes()) {
        let checked = token.check(&keys, &trust, &Revocations::default(), 1_700_000_000);
        assert!(checked.is_err(), "nobody has the key: {text}");
    }
    let _ = access::claimed_id(text);
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else {
        return;
    };
    if choice % 12 == 0 {
        let _ = KeySet::parse(rest);
        return;
    }
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    match choice % 12 {
        1 => token(text),
        2 => drop(Revocations::parse(text)),
        3 => drop(service_kit::readers::page(Service::Order, 10, text)),
        4 => drop(StreamId::parse(text)),
        5 => drop(text.parse::<Receipt>()),
        6 => drop(text.parse::<Checkpoint>()),
        7 => drop(text.parse::<transparency::Policy>()),
        8 => drop(text.parse::<AddCheckpoint>()),
        9 => drop(text.parse::<PublicKey>()),
        10 => {
            let policy = Policy {
                private: false,
                loopback: false,
            };
            drop(policy.parse(text));
        }
        _ => {
            drop(text.parse::<Origin>());
            drop(text.parse::<TilePath>());
        }
    }
});
