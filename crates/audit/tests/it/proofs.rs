//! `audit verify` with checkpoints: the root, the signatures, what was seen
//! last time, and the signed state. One thing at a time is wrong.

use std::{collections::BTreeMap, sync::Arc};

use audit::{
    Evidence, FindingKind as Kind, History, Log, LogName, Published, Signatures, StateComparison,
    StateDigests, ThisVersion, VerifyReport, verify, verify_proofs,
};
use decider::{Position, Service};
use transparency::{Checkpoint, ConsistencyProof, StateDigest};

use crate::{
    golden,
    signed::{Notary, Records},
    suite::day,
};

const ORDER_LOG: LogName = LogName::new(Service::Order, 0);

/// Digests as another developer's program would compute them.
struct Counting;

impl StateDigests for Counting {
    fn code(&self, _: LogName) -> Option<String> {
        Some("counting-1".into())
    }

    fn digest(&self, _: LogName, log: &Log, position: Position) -> Option<[u8; 32]> {
        let seen = log
            .entries
            .iter()
            .filter(|e| e.position <= position)
            .count();
        Some([u8::try_from(seen).ok()?; 32])
    }
}

/// Everything that a verification looks at, as it should be: seen last time
/// at three records, signed today for all.
struct Case {
    records: Records,
    published: BTreeMap<LogName, Published>,
    since: BTreeMap<LogName, Checkpoint>,
    policy: Option<String>,
}

impl Case {
    fn new(notary: &Notary) -> Self {
        let records = day().bytes();
        let of = |covered: &dyn Fn(usize) -> usize| -> BTreeMap<LogName, Checkpoint> {
            let logs = records.iter();
            logs.map(|(name, log)| (*name, notary.checkpoint(*name, &log[..covered(log.len())])))
                .collect()
        };
        let published = of(&|all| all);
        Self {
            since: of(&|_| 3),
            published: published
                .into_iter()
                .map(|(name, c)| (name, Published::Note(c.to_string())))
                .collect(),
            records,
            policy: Some(notary.policy()),
        }
    }

    fn report(&self, digests: &dyn StateDigests) -> VerifyReport {
        let history = History::from_bytes(self.records.clone());
        let mut report = verify(&history);
        let policy = self.policy.as_ref();
        let policy = policy.map(|text| Arc::new(text.parse().expect("a policy")));
        let evidence = history.logs.keys().map(|name| {
            let evidence = Evidence {
                published: self.published[name].clone(),
                since: self.since.get(name).cloned(),
                policy: policy.clone(),
                consistency: None,
            };
            (*name, evidence)
        });
        verify_proofs(&mut report, &history, &evidence.collect(), digests);
        report
    }

    fn publish(&mut self, checkpoint: &Checkpoint) {
        let note = Published::Note(checkpoint.to_string());
        self.published.insert(ORDER_LOG, note);
    }

    /// The only finding, of the order service's log.
    #[track_caller]
    fn found(&self) -> (Kind, String) {
        let report = self.report(&ThisVersion);
        assert!(!report.holds);
        let findings: Vec<_> = report.logs.iter().flat_map(|l| &l.findings).collect();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(report.logs[0].findings.len(), 1);
        (findings[0].kind, findings[0].detail.clone())
    }
}

#[test]
fn todays_logs_go_on_from_what_was_seen() {
    let report = Case::new(&Notary::default()).report(&ThisVersion);
    assert!(report.holds, "{report:#?}");
    let proof = report.logs[0].proof.as_ref().expect("asked for");
    let checkpoint = proof.checkpoint.as_ref().expect("published");
    assert!(checkpoint.recomputed);
    assert_eq!(checkpoint.size, report.logs[0].records);
    let Signatures::Accepted { cosigned, .. } = &checkpoint.signatures else {
        panic!("{checkpoint:?}");
    };
    assert_eq!(cosigned[0].time, "2022-09-02T00:40:00Z");
    let since = proof.since.as_ref().expect("given");
    assert_eq!((since.size, since.extended), (3, true));
    assert_eq!(proof.state, StateComparison::NotSigned);
    golden("verify.golden.txt", &report.text());
}

#[test]
fn a_log_that_was_rewritten_and_signed_anew_is_seen() {
    let notary = Notary::default();
    let mut case = Case::new(&notary);
    let mut altered = day();
    altered.alter("ContingencyActivated", |raw| {
        raw.correlation_id = "other".into()
    });
    case.records = altered.bytes();
    let checkpoint = notary.checkpoint(ORDER_LOG, &case.records[0].1);
    case.publish(&checkpoint);
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::Rewritten);
    assert!(detail.contains("its first 3 records make root"), "{detail}");
}

#[test]
fn records_that_are_not_those_that_were_signed_are_seen() {
    let mut case = Case::new(&Notary::default());
    let mut altered = day();
    altered.alter("OrderCollected", |raw| raw.correlation_id = "other".into());
    case.records = altered.bytes();
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::RootDiffers);
    assert!(
        detail.contains("its first 10 records make root"),
        "{detail}"
    );
}

#[test]
fn a_log_that_lost_its_end_is_seen() {
    let notary = Notary::default();
    let mut case = Case::new(&notary);
    let end = case.records[0].1.pop().expect("records");
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::RecordsMissing);
    assert_eq!(detail, "its checkpoint covers 10 records, 9 are here");

    // Its checkpoint with it; last time there was more.
    let mut whole = case.records[0].1.clone();
    whole.push(end);
    case.since
        .insert(ORDER_LOG, notary.checkpoint(ORDER_LOG, &whole));
    let short = notary.checkpoint(ORDER_LOG, &case.records[0].1);
    case.publish(&short);
    let report = case.report(&ThisVersion);
    let kinds: Vec<_> = report.logs[0].findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Kind::Shrunk, Kind::Shrunk]);
}

#[test]
fn a_proof_of_the_service_that_does_not_hold_is_seen() {
    let case = Case::new(&Notary::default());
    let history = History::from_bytes(case.records.clone());
    let given = |consistency: Result<ConsistencyProof, String>| {
        let mut report = verify(&history);
        let evidence = Evidence {
            published: case.published[&ORDER_LOG].clone(),
            since: case.since.get(&ORDER_LOG).cloned(),
            policy: None,
            consistency: Some(consistency),
        };
        let evidence = BTreeMap::from([(ORDER_LOG, evidence)]);
        verify_proofs(&mut report, &history, &evidence, &ThisVersion);
        report
    };
    let kinds = |report: &VerifyReport| -> Vec<Kind> {
        report.logs[0].findings.iter().map(|f| f.kind).collect()
    };
    let report = given(Err("it does not want to".into()));
    assert_eq!(kinds(&report), [Kind::NotProven]);
    let report = given(Ok(ConsistencyProof::default()));
    assert_eq!(kinds(&report), [Kind::Rewritten]);
    assert!(
        report.logs[0].findings[0]
            .detail
            .contains("the proof does not lead")
    );
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let mut case = Case::new(&Notary::default());
    let other = LogName::new(Service::Inventory, 0);
    let foreign = case.published[&other].clone();
    case.published.insert(ORDER_LOG, foreign);
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::CheckpointRefused);
    assert_eq!(
        detail,
        "a checkpoint of another log: baogong/inventory/0, not baogong/order/0"
    );
}

#[test]
fn wrong_keys_revoked_keys_and_forged_signatures_are_told_apart() {
    let notary = Notary::default();
    let order_key = notary.key(ORDER_LOG);
    let label = order_key.public().label();
    let mut case = Case::new(&notary);
    case.since.clear();

    let spare = Notary::with_other_keys().key(ORDER_LOG);
    case.policy = Some(format!(
        "log {}\n{}revoked {label}\n",
        spare.public(),
        notary.policy()
    ));
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::CheckpointRefused);
    assert!(detail.contains("which is revoked"), "{detail}");

    case.policy = Some(notary.policy());
    let signed = notary.checkpoint(ORDER_LOG, &case.records[0].1).to_string();
    let forged = signed.replacen("\u{2014} baogong/order/0 ", "\u{2014} baogong/order/0 A", 1);
    assert!(forged.parse::<Checkpoint>().is_err(), "a letter too many");
    // Signed as another tree, with this one's text.
    let other = notary
        .checkpoint(ORDER_LOG, &case.records[0].1[..5])
        .to_string();
    let lines = |note: &str| note.lines().map(str::to_owned).collect::<Vec<_>>();
    let (mut forged, other) = (lines(&signed), lines(&other));
    forged[4].clone_from(&other[4]);
    case.publish(&format!("{}\n", forged.join("\n")).parse().expect("a note"));
    let (_, detail) = case.found();
    assert!(
        detail.contains("is forged, or its text was altered"),
        "{detail}"
    );

    let mut forged = lines(&signed);
    forged[5].clone_from(&other[5]);
    case.publish(&format!("{}\n", forged.join("\n")).parse().expect("a note"));
    let (_, detail) = case.found();
    assert!(detail.contains("the cosignature of regulator"), "{detail}");

    let alone = Notary {
        witnessed: false,
        ..Notary::default()
    };
    case.publish(&alone.checkpoint(ORDER_LOG, &case.records[0].1));
    let (_, detail) = case.found();
    assert!(
        detail.contains("the quorum regulator is not met"),
        "{detail}"
    );
}

#[test]
fn what_was_seen_counts_although_its_key_was_revoked_since() {
    let old = Notary::with_other_keys();
    let notary = Notary::default();
    let mut case = Case::new(&notary);
    let records = case.records[0].1.clone();
    case.since
        .insert(ORDER_LOG, old.checkpoint(ORDER_LOG, &records[..3]));
    let old_key = old.key(ORDER_LOG);
    let label = old_key.public().label();
    case.policy = Some(format!(
        "{}log {}\nrevoked {label}\n",
        notary.policy(),
        old_key.public()
    ));
    let report = case.report(&ThisVersion);
    assert!(report.holds, "{report:#?}");
    let note = |report: &VerifyReport| {
        let proof = report.logs[0].proof.clone().expect("asked for");
        proof.since.expect("given").note.unwrap_or_default()
    };
    assert!(
        note(&report).contains("which is revoked"),
        "{}",
        note(&report)
    );

    // And it still shows what was rewritten.
    case.since
        .insert(ORDER_LOG, old.checkpoint(ORDER_LOG, &records[1..4]));
    assert_eq!(case.found().0, Kind::Rewritten);
}

#[test]
fn without_a_checkpoint_a_policy_is_not_met_and_without_a_policy_nothing_is_claimed() {
    let mut case = Case::new(&Notary::default());
    let nothing = Published::Nothing("there is no file".into());
    case.published.insert(ORDER_LOG, nothing);
    let (kind, detail) = case.found();
    assert_eq!(kind, Kind::NoCheckpoint);
    assert!(detail.ends_with("there is no file"), "{detail}");
    case.policy = None;
    let report = case.report(&ThisVersion);
    assert!(report.holds, "{report:#?}");
    let text = report.text();
    assert!(text.contains("proof   none: there is no file"), "{text}");
    assert!(
        text.contains("signed  not checked: no policy given"),
        "{text}"
    );
}

#[test]
fn the_signed_state_is_the_replayed_one_or_is_not_comparable() {
    let signed = |code: &str, position: u64, digest: [u8; 32]| {
        let code = code.into();
        let state = StateDigest {
            position,
            code,
            digest,
        };
        let notary = Notary {
            lines: vec![state.to_string()],
            ..Notary::default()
        };
        let mut case = Case::new(&Notary::default());
        case.publish(&notary.checkpoint(ORDER_LOG, &case.records[0].1));
        case
    };
    let state = |report: &VerifyReport| report.logs[0].proof.clone().expect("asked for").state;

    let report = signed("counting-1", 7, [7; 32]).report(&Counting);
    assert!(report.holds, "{report:#?}");
    assert!(matches!(
        state(&report),
        StateComparison::Equal { position: 7, .. }
    ));

    let report = signed("counting-1", 7, [8; 32]).report(&Counting);
    assert!(!report.holds);
    assert_eq!(report.logs[0].findings[0].kind, Kind::StateDiffers);
    assert!(
        report
            .text()
            .contains("is not the one that counting-1 signed")
    );

    let report = signed("counting-2", 7, [8; 32]).report(&Counting);
    assert!(report.holds);
    let text = report.text();
    assert!(
        text.contains("not comparable: signed by counting-2, this is counting-1"),
        "{text}"
    );
    let report = signed("counting-2", 7, [8; 32]).report(&NoDigests);
    assert!(report.holds);
    assert!(report.text().contains("computes no digest"));

    let report = signed("counting-1", 11, [7; 32]).report(&Counting);
    assert_eq!(report.logs[0].findings[0].kind, Kind::CheckpointRefused);
    assert!(
        report.logs[0].findings[0]
            .detail
            .contains("beyond its 10 records")
    );
}

/// A program that computes no digests.
struct NoDigests;

impl StateDigests for NoDigests {
    fn code(&self, _: LogName) -> Option<String> {
        None
    }

    fn digest(&self, _: LogName, _: &Log, _: Position) -> Option<[u8; 32]> {
        None
    }
}
