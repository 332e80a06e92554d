//! What kind of call each method is, and which of them will be gone.

use access::{Class, Methods, RuleError};

fn methods() -> Methods {
    Methods::of_the_suite().expect("no contradictions")
}

#[test]
fn methods_are_told_apart_by_what_they_ask() {
    let methods = methods();
    for (path, class) in [
        ("logistics.v1.PartnerService/ReportEvents", Class::Report),
        ("logistics.v1.PartnerService/WatchTenders", Class::Watch),
        ("logistics.v1.PartnerService/AcceptTender", Class::Write),
        ("logistics.v1.PartnerService/GetShipment", Class::Read),
        ("order.v1.OrderService/PlaceOrder", Class::Write),
        ("log.v1.LogService/Read", Class::Watch),
        ("log.v1.LogService/GetInclusionProof", Class::Read),
        ("admin.v1.AdminService/AdvanceClock", Class::Admin),
    ] {
        let method = methods.get(&format!("/baogong.{path}"));
        assert_eq!(method.expect(path).class, class, "{path}");
    }
    for class in [
        Class::Read,
        Class::Write,
        Class::Report,
        Class::Watch,
        Class::Admin,
    ] {
        assert!(
            methods.iter().any(|method| method.class == class),
            "{class:?}"
        );
    }
}

/// A service with one method, which has these options.
fn with_options(options: &str) -> Result<Methods, RuleError> {
    let folder = tempfile::tempdir().expect("a folder");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
    let text = format!(
        r#"syntax = "proto3";
        package baogong.test.v1;
        import "baogong/access/v1/access.proto";
        service TestService {{ rpc Old(OldRequest) returns (OldResponse) {{ {options} }} }}
        message OldRequest {{}}
        message OldResponse {{}}"#
    );
    std::fs::write(folder.path().join("test.proto"), text).expect("written");
    let mut compiler = protox::Compiler::new([folder.path(), protos.as_ref()]).expect("folders");
    compiler.include_imports(true);
    compiler.open_file("test.proto").expect("a good proto");
    Methods::read(&compiler.encode_file_descriptor_set())
}

#[test]
fn a_method_that_ends_says_on_which_day() {
    let day = r#"option (baogong.access.v1.served_until) = "2027-06-30";"#;
    let both = with_options(&format!("option deprecated = true; {day}")).expect("good");
    let method = both.get("/baogong.test.v1.TestService/Old").expect("it");
    assert_eq!(method.served_until.as_deref(), Some("2027-06-30"));

    let without = with_options("option deprecated = true;").expect_err("no day");
    assert!(without.to_string().contains("served_until"), "{without}");
    let quietly = with_options(day).expect_err("not deprecated");
    assert!(
        quietly.to_string().contains("deprecated = true"),
        "{quietly}"
    );
    for wrong in [
        "soon",
        "2027-13-01",
        "2027-06-00",
        "30.06.2027",
        "2027-06-1x",
    ] {
        let day = day.replace("2027-06-30", wrong);
        let refused = with_options(&format!("option deprecated = true; {day}"));
        assert!(refused.is_err(), "{wrong}");
    }
}
