//! What is noted of a step while it runs.

use tonic::Status;

use crate::sandbox::report::{Check, Step};

/// Why a step ends before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The firm did not do what the rest needs; it is on the sheet.
    Missed,
    /// The dispatcher's own call was refused.
    Broken(Status),
}

impl From<Status> for Stop {
    fn from(status: Status) -> Self {
        Self::Broken(status)
    }
}

#[derive(Debug, Default)]
pub(super) struct Sheet {
    checks: Vec<Check>,
}

impl Sheet {
    pub(super) fn check(&mut self, what: &str, good: bool, fault: &str) {
        self.checks.push(Check {
            what: what.to_owned(),
            fault: (!good).then(|| fault.to_owned()),
        });
    }

    /// Something without which the step cannot go on.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn needs<T>(&mut self, what: &str, found: Option<T>, seen: &str) -> Result<T, Stop> {
        let fault = format!("not in time; {seen}");
        self.check(what, found.is_some(), &fault);
        found.ok_or(Stop::Missed)
    }

    /// # Errors
    /// The step could not be played.
    pub(super) fn close(
        self,
        name: &'static str,
        about: &'static str,
        outcome: Result<(), Stop>,
    ) -> Result<Step, Status> {
        match outcome {
            Ok(()) | Err(Stop::Missed) => Ok(Step {
                name,
                about,
                checks: self.checks,
            }),
            Err(Stop::Broken(status)) => Err(status),
        }
    }
}
