//! A notary and its witnesses over HTTP: what is let out meets the policy.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use decider::Position;
use service_kit::witness::WitnessService;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use transparency::{Checkpoint, Policy, UnixSeconds};

use crate::{
    bench::{Bench, PATIENCE, keys, log_key, log_of, record, records},
    witness::witness_key,
};

/// A witness that can go away and come back at the same address.
struct Neighbour {
    number: u8,
    address: SocketAddr,
    folder: TempDir,
    task: Option<JoinHandle<()>>,
    /// The address stays its own while it is away.
    listener: Option<std::net::TcpListener>,
}

impl Neighbour {
    fn new(number: u8) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set");
        Self {
            number,
            address: listener.local_addr().expect("an address"),
            folder: tempfile::tempdir().expect("a folder"),
            task: None,
            listener: Some(listener),
        }
    }

    fn here(mut self) -> Self {
        self.come();
        self
    }

    fn open(&self) -> WitnessService {
        let key = witness_key(self.number);
        WitnessService::open("witness", key, [keys()], self.folder.path()).expect("a witness")
    }

    fn come(&mut self) {
        let service = self.open();
        let listener = self.listener.as_ref().expect("kept").try_clone();
        let listener = TcpListener::from_std(listener.expect("a copy")).expect("a listener");
        self.task = Some(tokio::spawn(async move {
            axum::serve(listener, service.router())
                .await
                .expect("served");
        }));
    }

    fn line(&self) -> String {
        let key = witness_key(self.number);
        format!(
            "witness w{} {} http://{}/witness\n",
            self.number,
            key.public(),
            self.address
        )
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn policy(witnesses: &[Neighbour], needed: usize) -> Arc<Policy> {
    let lines: String = witnesses.iter().map(Neighbour::line).collect();
    let names: Vec<_> = witnesses.iter().map(|w| format!("w{}", w.number)).collect();
    let text = format!(
        "log {}\n{lines}group all-of-them {needed} {}\nquorum all-of-them\n",
        log_key(1).public(),
        names.join(" ")
    );
    Arc::new(text.parse().expect("a policy"))
}

#[tokio::test]
async fn a_checkpoint_is_let_out_with_its_cosignatures() {
    let witnesses = [1, 2, 3].map(|n| Neighbour::new(n).here());
    let mut bench = Bench::new();
    bench.policy = Some(policy(&witnesses, 3));
    let running = bench.run(&log_of(records(300)));
    running.covering(300).await;
    // From what they saw, not from the beginning.
    running.append((301..=700).map(record));
    let checkpoint = running.covering(700).await;
    let policy = bench.policy.as_ref().expect("a policy");
    let met = policy.evaluate(&checkpoint).expect("met");
    assert_eq!(met.cosigned.len(), 3);
    running.end().await;
}

#[tokio::test]
async fn nothing_is_let_out_below_the_quorum_and_all_of_it_once_it_is_met() {
    let mut witnesses = [Neighbour::new(1).here(), Neighbour::new(2)];
    let mut bench = Bench::new();
    bench.policy = Some(policy(&witnesses, 2));
    let running = bench.run(&log_of(records(3)));
    // It is signed, and one of two cosigned it: seen in that one's files.
    let seen = witnesses[0].folder.path().join("order-0.checkpoint");
    until(|| seen.exists()).await;
    assert!(running.proofs.checkpoint().is_none());
    assert!(bench.file("signed").exists());
    assert!(!bench.file("checkpoint").exists());

    witnesses[1].come();
    running.append([record(4)]);
    let checkpoint = running.covering(4).await;
    let policy = bench.policy.as_ref().expect("a policy");
    assert_eq!(policy.evaluate(&checkpoint).expect("met").cosigned.len(), 2);
    running.end().await;
}

#[tokio::test]
async fn a_witness_that_knows_another_history_holds_the_log_back() {
    let witness = Neighbour::new(1);
    let before = Bench::new();
    let other = before.sign(300).await;
    let body = format!("old 0\n\n{other}");
    witness
        .open()
        .add_checkpoint(&body, UnixSeconds(1))
        .expect("cosigned");

    let mut witnesses = [witness];
    witnesses[0].come();
    let mut bench = Bench::new();
    bench.policy = Some(policy(&witnesses, 1));
    let mut rewritten = records(300);
    rewritten[5] = Bytes::from_static(b"another");
    let running = bench.run(&log_of(rewritten));
    let evidence = witnesses[0].folder.path().join("evidence");
    let kept = || std::fs::read_dir(&evidence).expect("a folder").count() > 0;
    until(kept).await;
    running.append([record(301)]);
    let last = running.log.last_position();
    assert_eq!(last, Position(301), "the log itself goes on");
    assert!(running.proofs.checkpoint().is_none(), "nothing is let out");
    running.end().await;
}

#[tokio::test]
async fn the_next_life_asks_for_what_the_last_one_signed() {
    let mut witnesses = [Neighbour::new(1)];
    let mut bench = Bench::new();
    bench.policy = Some(policy(&witnesses, 1));
    let running = bench.run(&log_of(records(3)));
    until(|| bench.file("signed").exists()).await;
    running.end().await;
    let signed = std::fs::read_to_string(bench.file("signed")).expect("stored");
    let signed: Checkpoint = signed.parse().expect("a checkpoint");

    witnesses[0].come();
    let running = bench.run(&log_of(records(3)));
    let out = running.covering(3).await;
    assert_eq!(out.text(), signed.text());
    running.end().await;
}

/// Waits for a file of somebody else; every other wait is for a checkpoint.
async fn until(holds: impl Fn() -> bool) {
    let held = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, held).await.expect("in time");
}
