//! A day through the public APIs, and what can be said of it afterwards.

use std::{fs, process::Stdio};

use system_tests::{Suite, json};

const SMALL: [&str; 7] = [
    "scenario",
    "run",
    "zhichaka",
    "--households",
    "60",
    "--seed",
    "11",
];

/// Plays a small day and gives its figures.
fn play(suite: &Suite) -> serde_json::Value {
    let file = suite.directory.path().join("figures.json");
    let path = file.display().to_string();
    let output = suite
        .baogong(&[&SMALL[..], &["--json", &path]].concat())
        .expect("baogong runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(file).expect("the figures");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_day_serves_everybody_and_can_be_audited_while_it_runs_and_from_a_copy() {
    let mut suite = Suite::start().expect("a suite");
    let figures = play(&suite);
    let totals = &figures["totals"];
    assert_eq!(totals["households"], 60);
    assert_eq!(totals["orders"], 60);
    assert_eq!(totals["lines"], 180);
    assert_eq!(totals["grams"], 60 * 20_000);
    assert_eq!(totals["deliveries"], 60);
    assert_eq!(totals["collected"], 60);
    assert_eq!(totals["coverage_basis_points"], 10_000);
    assert!(totals["damaged_bags"].as_u64() > Some(0));
    assert!(totals["failed_attempts"].as_u64() > Some(0));
    // 1.2 t are one load. The first firm declines it, the second lets its time
    // run out, the third carries it, and waits before the closed gate.
    let trunk = &totals["trunk"];
    assert_eq!(trunk["loads"], 1);
    assert_eq!(trunk["grams"], 60 * 20_000);
    assert_eq!(trunk["orders"], 60);
    let tenders = ["tenders", "accepted", "declined", "expired"].map(|of| trunk[of].as_u64());
    assert_eq!(tenders, [Some(3), Some(1), Some(1), Some(1)]);
    assert_eq!(
        (&trunk["late"], &trunk["incidents"]),
        (&1.into(), &1.into())
    );
    assert_eq!(trunk["short_bags"], 1);
    let trips: u64 = figures["members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|member| member["runs"].as_u64())
        .sum();
    assert!(trips >= 10, "60 sets of 20 kg in trips of 120 kg: {trips}");

    // Playing it again changes nothing: every request is known.
    let again = play(&suite);
    assert_eq!(again["totals"], figures["totals"]);
    assert_eq!(again["members"], figures["members"]);

    // Audits of the running suite.
    let verified = suite.baogong(&["audit", "verify", "--json"]).expect("runs");
    assert!(verified.status.success(), "{}", shown(&verified));
    let reconciled = suite
        .baogong(&["audit", "reconcile", "--json"])
        .expect("runs");
    assert!(reconciled.status.success(), "{}", shown(&reconciled));
    json(&reconciled).expect("JSON");

    // The life of one delivery.
    let order = any_order(&suite);
    let replayed = suite.baogong(&["audit", "replay", &order]).expect("runs");
    assert!(replayed.status.success(), "{}", shown(&replayed));
    let text = String::from_utf8_lossy(&replayed.stdout).into_owned();
    let mut last = 0;
    for event in [
        "OrderPlaced",
        "StockReserved",
        "OrderConfirmed",
        "OrderDispatched",
        "ParcelQueued",
        "ShipmentDrafted",
        "TenderDeclined",
        "TenderExpired",
        "TenderAccepted",
        "ResourceAssigned",
        "MilestoneReported",
        "CustodyTransferred",
        "ParcelReceived",
        "ParcelDisinfected",
        "OrderReady",
        "RunStarted",
        "GoodsPlaced",
        "DoorLeft",
        "DeliveryCollected",
        "OrderCollected",
    ] {
        let at = text[last..]
            .find(event)
            .unwrap_or_else(|| panic!("{event} is missing or too early in\n{text}"));
        last += at;
    }

    // A copy of the logs, with nothing running.
    for service in &mut suite.services {
        assert!(service.terminate().expect("waited for"), "a clean end");
    }
    let copy = suite.directory.path().join("copy");
    copy_directory(&suite.data(), &copy);
    for command in ["verify", "reconcile"] {
        let output = std::process::Command::new(system_tests::binaries().join("baogong"))
            .args(["audit", command, "--logs"])
            .arg(&copy)
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        assert!(output.status.success(), "{command}: {}", shown(&output));
    }
}

fn any_order(suite: &Suite) -> String {
    use proto::order::v1::{ListOrdersRequest, order_service_client::OrderServiceClient};
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = format!("http://{}", suite.services[0].grpc);
        let mut client = OrderServiceClient::connect(url).await.expect("connected");
        let request = ListOrdersRequest {
            area: "632725100".to_owned(),
            page_size: 1,
            ..ListOrdersRequest::default()
        };
        let page = client.list_orders(request).await.expect("a page");
        page.into_inner().orders[0].order_id.clone()
    })
}

fn copy_directory(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn shown(output: &std::process::Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
