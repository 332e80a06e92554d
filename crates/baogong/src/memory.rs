//! Peak memory of this process and of the NATS server that it started.

use std::{collections::BTreeMap, fs};

/// Peak resident memory in bytes by process, as far as the system tells.
#[must_use]
pub fn peak(nats_pid: Option<u32>) -> BTreeMap<String, u64> {
    let own = ("services".to_owned(), "self".to_owned());
    let nats = nats_pid.map(|pid| ("nats-server".to_owned(), pid.to_string()));
    std::iter::once(own)
        .chain(nats)
        .filter_map(|(name, process)| Some((name, high_water_bytes(&process)?)))
        .collect()
}

/// `VmHWM` of /proc/<process>/status, see proc_pid_status(5).
fn high_water_bytes(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
