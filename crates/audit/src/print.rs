//! The reports of `verify` and `reconcile` for people.

use std::fmt::Write as _;

use crate::{
    bundle::Exported,
    digest::StateComparison,
    reconcile::{Check, ReconcileReport, Status},
    scan::ScanReport,
    verify::{LogReport, ProofReport, Signatures, VerifyReport},
};

/// Further violations are in the JSON form.
const SHOWN_MAX: usize = 10;

pub(crate) fn verify(report: &VerifyReport) -> String {
    let mut out = String::new();
    for log in &report.logs {
        one_log(&mut out, log);
    }
    let records: u64 = report.logs.iter().map(|log| log.records).sum();
    let findings: usize = report.logs.iter().map(|log| log.findings.len()).sum();
    let logs = report.logs.len();
    for log in &report.missing {
        let _ = writeln!(
            out,
            "{log}: BROKEN: the policy, or what was seen last time, names it, and it is not here\n"
        );
    }
    let findings = findings + report.missing.len();
    let _ = if findings == 0 {
        writeln!(out, "All {logs} logs are whole: {records} records.")
    } else {
        writeln!(
            out,
            "{findings} findings in {logs} logs with {records} records."
        )
    };
    out
}

pub(crate) fn scan(report: &ScanReport) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let _ = writeln!(
            out,
            "{}, byte {}: the value of line {}, as {:?}",
            finding.place, finding.offset_bytes, finding.value, finding.form
        );
    }
    let ScanReport {
        values,
        files,
        bytes,
        findings_count,
        ..
    } = report;
    let _ = writeln!(
        out,
        "{findings_count} findings of {values} values in {files} files with {bytes} bytes."
    );
    out
}

fn one_log(out: &mut String, log: &LogReport) {
    let _ = writeln!(
        out,
        "{}: {} records in {} streams, {}",
        log.log,
        log.records,
        log.streams,
        size(log.bytes)
    );
    if let (Some(first), Some(last)) = (&log.first_time, &log.last_time) {
        let _ = writeln!(out, "  from    {first} to {last}");
    }
    let _ = writeln!(out, "  sha256  {}", log.digest);
    if let Some(note) = &log.note {
        let _ = writeln!(out, "  note    {note}");
    }
    if log.voided > 0 {
        let _ = writeln!(
            out,
            "  void    {} commands whose end was lost; they count for nothing",
            log.voided
        );
    }
    if let Some(proof) = &log.proof {
        one_proof(out, proof);
    }
    if log.findings.is_empty() {
        let _ = writeln!(
            out,
            "  whole   positions, revisions, times; {} requests, {} causes; replays",
            log.requests, log.causes
        );
    }
    for finding in log.findings.iter().take(SHOWN_MAX) {
        let at = finding
            .position
            .map(|position| format!(" at position {position}"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "  {} BROKEN{at}: {}",
            finding.invariant, finding.detail
        );
        let _ = writeln!(out, "         what to do: {}", finding.advice);
    }
    more(out, "  ", log.findings.len());
    out.push('\n');
}

fn one_proof(out: &mut String, proof: &ProofReport) {
    if let Some(why) = &proof.without {
        let _ = writeln!(out, "  proof   none: {why}");
    }
    if let Some(checkpoint) = &proof.checkpoint {
        let recomputed = if checkpoint.recomputed {
            "recomputed from the records"
        } else {
            "not what the records make"
        };
        let _ = writeln!(
            out,
            "  root    {} of {} records, {recomputed}",
            checkpoint.root, checkpoint.size
        );
        signatures(out, &checkpoint.signatures);
    }
    if let Some(since) = &proof.since {
        let held = if since.extended {
            "the log goes on from there"
        } else {
            "the log does not go on from there"
        };
        let _ = writeln!(out, "  since   {} records: {held}", since.size);
        if let Some(note) = &since.note {
            let _ = writeln!(out, "          ({note}; compared nevertheless)");
        }
    }
    state(out, &proof.state);
}

fn signatures(out: &mut String, signatures: &Signatures) {
    match signatures {
        Signatures::NotChecked => {
            let _ = writeln!(out, "  signed  not checked: no policy given");
        }
        Signatures::Refused { .. } => {
            let _ = writeln!(out, "  signed  not as the policy asks");
        }
        Signatures::Accepted {
            signed_by,
            cosigned,
        } => {
            let _ = writeln!(out, "  signed  by {signed_by}");
            for by in cosigned {
                let _ = writeln!(out, "          cosigned by {} at {}", by.witness, by.time);
            }
        }
    }
}

fn state(out: &mut String, state: &StateComparison) {
    let _ = match state {
        StateComparison::NotSigned | StateComparison::Unusable { .. } => Ok(()),
        StateComparison::Equal { position, code } => writeln!(
            out,
            "  state   at position {position} is the one that {code} signed"
        ),
        StateComparison::Differs { position, code, .. } => writeln!(
            out,
            "  state   at position {position} is not the one that {code} signed"
        ),
        StateComparison::NotComparable {
            position,
            signed_by,
            this: Some(this),
        } => writeln!(
            out,
            "  state   at position {position} is not comparable: signed by {signed_by}, this is \
             {this}"
        ),
        StateComparison::NotComparable {
            position,
            signed_by,
            this: None,
        } => writeln!(
            out,
            "  state   at position {position} is not comparable: signed by {signed_by}, this \
             program computes no digest"
        ),
    };
}

pub(crate) fn exported(exported: &Exported) -> String {
    let policy = if exported.policy {
        "the operator's policy"
    } else {
        "no policy"
    };
    format!(
        "{}: {} records of {} logs, {} checkpoints, {policy}, {}\n\
         Another machine verifies it: baogong audit verify --bundle {} --policy <its own>\n",
        exported.directory.display(),
        exported.records,
        exported.logs,
        exported.checkpoints,
        size(exported.bytes),
        exported.directory.display(),
    )
}

pub(crate) fn reconcile(report: &ReconcileReport) -> String {
    let mut out = String::new();
    for check in &report.checks {
        one_check(&mut out, check);
    }
    let broken = report.broken();
    let left_out = report.checks.iter();
    let left_out = left_out.filter(|c| c.status == Status::NotChecked).count();
    let _ = write!(out, "\n{} records: ", report.records);
    if broken.is_empty() {
        let holding = report.checks.len() - left_out;
        let _ = write!(out, "{holding} invariants hold");
    } else {
        let ids: Vec<&str> = broken.iter().map(|invariant| invariant.id()).collect();
        let _ = write!(out, "broken: {}", ids.join(", "));
    }
    if left_out > 0 {
        let _ = write!(out, ", {left_out} not checked");
    }
    out.push_str(".\n");
    out
}

fn one_check(out: &mut String, check: &Check) {
    let status = match check.status {
        Status::Holds => "holds",
        Status::Broken => "BROKEN",
        Status::NotChecked => "not checked",
    };
    let _ = writeln!(
        out,
        "{}  {status:<11}  {:>7} facts",
        check.invariant, check.facts
    );
    let _ = writeln!(out, "        {}", check.statement);
    if !check.note.is_empty() {
        let _ = writeln!(out, "        ({})", check.note);
    }
    for violation in check.violations.iter().take(SHOWN_MAX) {
        let _ = writeln!(out, "        ! {}: {}", violation.entity, violation.detail);
    }
    more(out, "        ", check.violations.len());
    if !check.pending.is_empty() {
        let _ = writeln!(out, "        {} still under way:", check.pending.len());
        for pending in check.pending.iter().take(SHOWN_MAX) {
            let _ = writeln!(out, "        . {pending}");
        }
        more(out, "        ", check.pending.len());
    }
}

fn more(out: &mut String, indent: &str, count: usize) {
    if count > SHOWN_MAX {
        let _ = writeln!(
            out,
            "{indent}and {} more; --json lists all",
            count - SHOWN_MAX
        );
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let tenths = bytes.saturating_mul(10) / 1024;
    let (tenths, unit) = if tenths < 10_240 {
        (tenths, "KiB")
    } else {
        (tenths / 1024, "MiB")
    };
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(1023), "1023 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 * 1024 * 1024 + 600 * 1024), "3.5 MiB");
    }
}
