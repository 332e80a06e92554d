//! What the guard reads of a request must be what the handler reads: whatever
//! the bytes, a firm is not let through with a request that decodes to
//! another's id.
#![no_main]

use std::sync::LazyLock;

use access::{Areas, Caller, Rules, Scope};
use decider::Role;
use service_kit::readers::{Read, read};

static SCOPE: LazyLock<Scope> = LazyLock::new(|| {
    let rules = Rules::of_the_suite().expect("rules");
    let rule = rules.get("/baogong.logistics.v1.PartnerService/AcceptTender");
    let caller = Caller {
        subject: "somebody".into(),
        sub: "somebody".into(),
        roles: vec![Role::Carrier],
        acting: None,
        areas: Areas::parse(&["632725"]).expect("an area"),
        carrier: Some("acme".into()),
        household: None,
        token_id: None,
        issued_secs: None,
        expires_secs: u64::MAX,
    };
    let admitted = Rules::admit(rule.expect("a rule"), caller, None);
    admitted.expect("a carrier may").1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let passes = service_kit::readers::scoped(&SCOPE, bytes);
    let _: Read = read(
        bytes,
        |request: &proto::logistics::v1::AcceptTenderRequest| {
            assert!(
                !passes || (request.carrier_id == "acme" && request.area.starts_with("632725")),
                "{request:?}"
            );
            Ok(())
        },
    );
});
