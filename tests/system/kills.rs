//! `kill -9` at random moments of a day: it finishes all the same, with the
//! totals of an undisturbed run, and the logs agree with one another.

use std::{
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use system_tests::Suite;

const KILLS_MIN: usize = 10;
const HOUSEHOLDS: &str = "300";
const SEED: &str = "3";

fn begin(suite: &Suite, figures: &str) -> Child {
    let log = fs::File::create(suite.directory.path().join("scenario.log")).expect("a file");
    suite
        .baogong_command(&[
            "scenario",
            "run",
            "zhichaka",
            "--households",
            HOUSEHOLDS,
            "--seed",
            SEED,
            "--json",
            figures,
        ])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("baogong runs")
}

fn finish(suite: &Suite, mut child: Child, figures: &str) -> serde_json::Value {
    let status = child.wait().expect("waited for");
    let log = fs::read_to_string(suite.directory.path().join("scenario.log")).expect("a log");
    assert!(status.success(), "{status}\n{log}");
    let text = fs::read_to_string(figures).expect("the figures");
    serde_json::from_str(&text).expect("JSON")
}

fn figures_file(suite: &Suite) -> String {
    let path = suite.directory.path().join("figures.json");
    path.display().to_string()
}

/// Kills one service, or everything with NATS, and starts it again.
fn strike(suite: &mut Suite, rng: &mut StdRng) -> String {
    let pause = Duration::from_millis(rng.random_range(0..150));
    let victim = rng.random_range(0..suite.services.len() + 2);
    if let Some(service) = suite.services.get_mut(victim) {
        service.kill();
        std::thread::sleep(pause);
        service.launch().expect("started again");
        return service.name.to_owned();
    }
    if victim == suite.services.len() {
        suite.nats.kill();
        std::thread::sleep(pause);
        suite.nats.restart().expect("started again");
        return "nats-server".to_owned();
    }
    for service in &mut suite.services {
        service.kill();
    }
    suite.nats.kill();
    std::thread::sleep(pause);
    // In any order: whoever comes first waits.
    let last = rng.random_range(0..suite.services.len());
    for (n, service) in suite.services.iter_mut().enumerate() {
        if n != last {
            service.launch().expect("started again");
        }
    }
    suite.nats.restart().expect("started again");
    suite.services[last].launch().expect("started again");
    "everything".to_owned()
}

#[test]
fn a_day_full_of_kills_ends_as_an_undisturbed_one() {
    let undisturbed = {
        let suite = Suite::start().expect("a suite");
        let file = figures_file(&suite);
        let child = begin(&suite, &file);
        finish(&suite, child, &file)
    };

    let mut suite = Suite::start().expect("a suite");
    let file = figures_file(&suite);
    let mut child = begin(&suite, &file);
    // Printed, so that a failure can be looked at; what a kill hits depends on
    // the machine all the same.
    let seed: u64 = rand::random();
    println!("kills drawn from seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut struck = Vec::new();
    while child.try_wait().expect("waited for").is_none() {
        // Random moments are the point here, not a way to wait.
        std::thread::sleep(Duration::from_millis(rng.random_range(50..500)));
        if child.try_wait().expect("waited for").is_none() {
            struck.push(strike(&mut suite, &mut rng));
            suite.wait_ready().expect("ready again");
        }
    }
    let disturbed = finish(&suite, child, &file);
    println!("{} kills: {}", struck.len(), struck.join(", "));
    assert!(
        struck.len() >= KILLS_MIN,
        "only {} kills before the day was over",
        struck.len()
    );
    assert_eq!(disturbed["totals"], undisturbed["totals"]);
    assert_eq!(disturbed["totals"]["coverage_basis_points"], 10_000);

    for command in ["verify", "reconcile"] {
        let output = suite.baogong(&["audit", command]).expect("runs");
        assert!(
            output.status.success(),
            "{command}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
