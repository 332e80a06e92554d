//! What a firm is certified for, step by step.

use std::{fmt, fs, path::Path};

use anyhow::Context;
use serde::Serialize;

/// One thing that was asked of the firm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub what: String,
    /// What was not as it should be; none where it was.
    pub fault: Option<String>,
}

/// One part of the course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub name: &'static str,
    /// What the sandbox does in it.
    pub about: &'static str,
    pub checks: Vec<Check>,
}

impl Step {
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.checks.iter().all(|check| check.fault.is_none())
    }
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub carrier_id: String,
    pub area: String,
    pub steps: Vec<Step>,
    /// Refusals that no step had asked for, by reason: no fault, but worth a
    /// look.
    pub refusals: Vec<(String, usize)>,
    pub certified: bool,
}

impl Report {
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_passed() { "passed" } else { "FAILED" };
        writeln!(f, "{sign}  {:<16}  {}", self.name, self.about)?;
        for check in &self.checks {
            match &check.fault {
                None => writeln!(f, "          ok  {}", check.what)?,
                Some(fault) => writeln!(f, "      FAILED  {}: {fault}", check.what)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.steps.iter().filter(|step| step.is_passed()).count();
        writeln!(
            f,
            "{} in {}: {passed} of {} steps passed",
            self.carrier_id,
            self.area,
            self.steps.len()
        )?;
        for (reason, times) in &self.refusals {
            writeln!(f, "  worth a look: refused {times} times with {reason}")?;
        }
        if self.certified {
            writeln!(f, "CERTIFIED: this client may carry real loads.")
        } else {
            writeln!(
                f,
                "NOT CERTIFIED: see the steps that failed, and docs/PARTNER_GUIDE.md."
            )
        }
    }
}
