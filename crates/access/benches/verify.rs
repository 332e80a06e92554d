//! What the guard pays for a token: checking it as it comes, and knowing it
//! again by its digest, as `service_kit::access` does for one that was checked
//! before.

use std::{collections::HashMap, hint::black_box};

use access::{Grant, Issuer, KeySet, Presented, Revocations, TokenOrder, Trust};
use criterion::{Criterion, criterion_group, criterion_main};
use sha2::{Digest, Sha256};

const NOW_SECS: u64 = 1_700_000_000;

fn token(issuer: &Issuer) -> String {
    issuer.issue(&TokenOrder {
        issuer: "issuer",
        audience: "baogong",
        subject: "acme-dispatch",
        token_id: "01J0000000000000000000000A",
        now_secs: NOW_SECS,
        ttl_secs: 3_600,
        grant: Grant {
            roles: vec!["carrier".to_owned()],
            areas: vec!["632725".to_owned()],
            carrier: Some("acme".to_owned()),
            household: None,
            id: None,
        },
    })
}

fn verify(criterion: &mut Criterion) {
    let issuer = Issuer::new([7; 32]);
    let keys = KeySet::parse(issuer.jwks().as_bytes()).expect("a key set");
    let trust = Trust {
        issuer: "issuer".to_owned(),
        audience: "baogong".to_owned(),
        leeway_secs: 30,
    };
    let header = format!("Bearer {}", token(&issuer));
    let revocations = Revocations::default();
    let check = |header: &str| {
        let presented = Presented::from_header(header.as_bytes()).expect("a token");
        presented
            .check(&keys, &trust, &revocations, NOW_SECS + 1)
            .expect("a good one")
    };
    criterion.bench_function("check an EdDSA token", |bencher| {
        bencher.iter(|| check(black_box(&header)));
    });
    let known = HashMap::from([(
        <[u8; 32]>::from(Sha256::digest(header.as_bytes())),
        check(&header),
    )]);
    criterion.bench_function("know a token again", |bencher| {
        bencher.iter(|| {
            let digest: [u8; 32] = Sha256::digest(black_box(&header).as_bytes()).into();
            let caller = known.get(&digest).expect("it was checked").clone();
            assert!(!revocations.covers(&caller, NOW_SECS + 1));
            caller
        });
    });
}

criterion_group!(benches, verify);
criterion_main!(benches);
