//! The server as a child process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

use bus::server::{ClusterOptions, NatsServer, ServerError, ServerOptions};
use bus::{Bus, BusOptions};

use crate::support::{Log, RunningRelay, Site, assert_replica, order, soon};

/// Neither gone nor waiting to be reaped.
fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().starts_with(" Z"))
}

#[test]
fn a_missing_binary_is_named_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let error = NatsServer::start(ServerOptions {
        store_dir: dir.path().to_owned(),
        binary: Some(dir.path().join("no-such-binary")),
        ..ServerOptions::default()
    })
    .unwrap_err();
    assert!(matches!(error, ServerError::NotInstalled));
    assert!(error.to_string().contains("apt-get install nats-server"));
}

#[test]
fn a_taken_port_is_reported_at_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let error = NatsServer::start(ServerOptions {
        port: Some(port),
        store_dir: dir.path().to_owned(),
        ..ServerOptions::default()
    })
    .unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(
        error.to_string().contains("address already in use"),
        "{error}"
    );
}

#[test]
fn it_ends_by_kill_by_stop_and_by_drop() {
    let mut site = Site::start();
    let url = site.server.url();
    let first = site.server.pid().unwrap();
    assert!(alive(first));
    site.server.kill();
    assert!(!alive(first) && !site.server.is_running());

    site.server.restart().unwrap();
    let second = site.server.pid().unwrap();
    assert_eq!(site.server.url(), url);
    site.server.stop();
    assert!(!alive(second) && site.server.pid().is_none());

    site.server.restart().unwrap();
    let third = site.server.pid().unwrap();
    drop(site.server);
    assert!(!alive(third));
}

#[test]
fn its_end_by_other_hands_is_noticed() {
    let site = Site::start();
    let pid = i32::try_from(site.server.pid().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
    while site.server.is_running() {
        std::thread::yield_now();
    }
}

/// Set in the process that `it_ends_when_its_owner_is_killed` kills.
const HOLD: &str = "BUS_TEST_HOLD_A_SERVER";

/// Does nothing but in that process.
#[test]
fn hold_a_server() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let site = Site::start();
    println!(
        "pid={} dir={}",
        site.server.pid().unwrap(),
        site.dir.path().display()
    );
    std::thread::park();
}

#[test]
fn it_ends_when_its_owner_is_killed() {
    let setpriv = Command::new("setpriv").arg("--version").output();
    if setpriv.is_err() {
        eprintln!("skipped: there is no setpriv here, so a killed owner leaves its server behind");
        return;
    }
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["server::hold_a_server", "--exact", "--nocapture"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.contains("pid="))
        .unwrap();
    let (_, rest) = line.split_once("pid=").unwrap();
    let (pid, dir) = rest.split_once(" dir=").unwrap();
    let pid: u32 = pid.parse().unwrap();
    assert!(alive(pid));
    owner.kill().unwrap();
    owner.wait().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while alive(pid) {
        assert!(std::time::Instant::now() < deadline, "the server lingers");
        std::thread::yield_now();
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_of_them_form_a_cluster_that_outlives_one() {
    let listeners: Vec<_> = (0..3)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    let members: Vec<_> = listeners
        .iter()
        .map(|l| l.local_addr().unwrap().port())
        .collect();
    drop(listeners);
    let dir = tempfile::tempdir().unwrap();
    let mut servers: Vec<_> = members
        .iter()
        .map(|port| {
            NatsServer::start(ServerOptions {
                store_dir: dir.path().join(port.to_string()),
                cluster: Some(ClusterOptions {
                    cluster_name: "test".into(),
                    server_name: format!("n{port}"),
                    port: *port,
                    members: members.clone(),
                }),
                ..ServerOptions::default()
            })
            .unwrap()
        })
        .collect();
    let urls: Vec<_> = servers.iter().map(NatsServer::url).collect();
    let bus = Bus::connect(BusOptions {
        url: urls.join(","),
        name: "test".into(),
        replicas: 3,
    })
    .await
    .unwrap();
    let log = Log::of("we", 3000);
    let mut relay = RunningRelay::start(&bus, &log);
    relay.wait_for(500).await;
    servers[0].kill();
    relay.wait_for(3000).await;
    let mut subscription = bus.subscribe(order(), 1);
    while subscription.position() <= 3000 {
        soon("messages", subscription.next()).await.unwrap();
    }
    soon("replica", assert_replica(&bus, "we", 3000)).await;
}
