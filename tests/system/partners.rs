//! An operator brings a firm in from the command line, changes its token,
//! suspends it, and sees how it does.

use std::fs;

use system_tests::laptop::{Laptop, last_words};

const AREA: &str = "632725100";

/// What it printed, where it went well.
fn told(laptop: &Laptop, arguments: &[&str]) -> String {
    let output = laptop.run(arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        last_words(&output)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// What it said on its way to exit status 2.
fn refused(laptop: &Laptop, arguments: &[&str]) -> String {
    let output = laptop.run(arguments);
    assert_eq!(
        output.status.code(),
        Some(2),
        "{arguments:?}: {}",
        last_words(&output)
    );
    String::from_utf8(output.stderr).expect("text")
}

fn is_good(laptop: &Laptop, token: &str) -> bool {
    let output = laptop.run(&["token", "show", token]);
    match output.status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => panic!("{}", last_words(&output)),
    }
}

#[test]
fn a_firm_is_brought_in_and_its_token_changed() {
    let laptop = Laptop::up("system");
    let file = laptop.path("acme.token").display().to_string();
    let add = [
        "partner",
        "add",
        "acme",
        "--area",
        AREA,
        "--name",
        "Acme Haulage",
        "--vehicle",
        "lorry-1=5t",
        "--driver",
        "d-1",
        "--token-out",
        &file,
    ];
    told(&laptop, &add);
    // Once more, with more.
    told(&laptop, &[&add[..], &["--vehicle", "van=800kg"]].concat());
    let first = fs::read_to_string(&file).expect("a token");
    assert!(is_good(&laptop, &first));

    let shown = told(
        &laptop,
        &["partner", "show", "acme", "--area", AREA, "--json"],
    );
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let vehicles = serde_json::json!({"lorry-1": 5_000_000, "van": 800_000});
    assert_eq!(shown["vehicles"], vehicles);
    assert_eq!(shown["drivers"], serde_json::json!(["d-1"]));
    assert_eq!(
        shown["record"]["acceptance_percent"],
        serde_json::Value::Null
    );
    told(
        &laptop,
        &[
            "partner",
            "withdraw",
            "acme",
            "--area",
            AREA,
            "--vehicle",
            "van",
        ],
    );

    // The older token counts on for an hour; then, without an overlap, no more.
    let rotate = ["partner", "rotate", "acme", "--area", AREA];
    let second = told(&laptop, &[&rotate[..], &["--overlap", "1h"]].concat());
    assert!(is_good(&laptop, &first) && is_good(&laptop, second.trim()));
    let third = told(&laptop, &rotate);
    assert!(!is_good(&laptop, &first) && !is_good(&laptop, second.trim()));
    assert!(is_good(&laptop, third.trim()));
}

#[test]
fn a_firm_is_suspended_and_resumed() {
    let laptop = Laptop::up("system");
    let firm = |what: &'static str| ["partner", what, "acme", "--area", AREA];
    told(&laptop, &[&firm("add")[..], &["--name", "Acme"]].concat());
    let token = told(&laptop, &firm("token"));
    let why = ["--reason", "papers out of date", "--revoke-tokens"];
    told(&laptop, &[&firm("suspend")[..], &why].concat());
    let list = told(&laptop, &["partner", "list", "--area", AREA]);
    assert!(list.contains("suspended: papers out of date"), "{list}");
    assert!(!is_good(&laptop, token.trim()));
    told(&laptop, &firm("resume"));
    let list = told(&laptop, &["partner", "list", "--area", AREA, "--json"]);
    let firm: serde_json::Value = serde_json::from_str(list.trim()).expect("one line");
    assert_eq!(firm["suspended"], serde_json::Value::Null);
}

#[test]
fn what_cannot_be_is_refused_in_words() {
    let laptop = Laptop::up("system");
    let said = refused(&laptop, &["partner", "token", "nobody", "--area", AREA]);
    assert!(said.contains("`baogong partner add` does it"), "{said}");
    let add = ["partner", "add", "acme", "--area", AREA, "--name"];
    told(&laptop, &[&add[..], &["Acme"]].concat());
    let said = refused(&laptop, &[&add[..], &["Other"]].concat());
    assert!(said.contains("(ALREADY_REGISTERED)"), "{said}");
    let said = refused(
        &laptop,
        &[&add[..], &["Acme", "--vehicle", "lorry=5"]].concat(),
    );
    assert!(said.contains("is no weight"), "{said}");
    let said = refused(&laptop, &["partner", "withdraw", "acme", "--area", AREA]);
    assert!(said.contains("--vehicle and --driver"), "{said}");
}
