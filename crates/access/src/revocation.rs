//! Tokens that no longer count although they have not expired. A text of
//! lines, so that it can be read, kept under version control and mounted:
//!
//! ```text
//! # why, by whom
//! token 01JABCDEFGHJKMNPQRSTVWXYZ0
//! subject acme-gateway 1758700800
//! ```
//!
//! `token` names a token by its `jti`; `subject` all tokens of a subject that
//! were issued before a time, in seconds since 1970. Tokens issued later count.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use crate::Caller;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    Token(String),
    Subject { subject: String, before_secs: u64 },
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token {id}"),
            Self::Subject {
                subject,
                before_secs,
            } => write!(f, "subject {subject} {before_secs}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the revocations is none: `token <jti>` or `subject <sub> <seconds since 1970>` \
     is needed"
)]
pub struct RevocationError {
    pub line: usize,
}

/// What was revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    tokens: HashSet<String>,
    subjects: HashMap<String, u64>,
}

impl Revocations {
    /// # Errors
    /// A line is no revocation. None is passed over: what was meant to be
    /// revoked would go on being valid.
    pub fn parse(text: &str) -> Result<Self, RevocationError> {
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let wrong = || RevocationError { line: index + 1 };
            let mut words = line.split_whitespace();
            match (words.next(), words.next(), words.next(), words.next()) {
                (Some("token"), Some(id), None, None) => {
                    all.tokens.insert(id.to_owned());
                }
                (Some("subject"), Some(subject), Some(before), None) => {
                    let before: u64 = before.parse().map_err(|_| wrong())?;
                    let known = all.subjects.entry(subject.to_owned()).or_default();
                    *known = before.max(*known);
                }
                _ => return Err(wrong()),
            }
        }
        Ok(all)
    }

    /// How many lines count.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tokens.len() + self.subjects.len()
    }

    /// Whether the caller's token was revoked.
    #[must_use]
    pub fn covers(&self, caller: &Caller) -> bool {
        let by_id = |id: &String| self.tokens.contains(id);
        let issued = caller.issued_secs.unwrap_or(0);
        let before = |name: &String| self.subjects.get(name).is_some_and(|at| issued < *at);
        caller.token_id.as_ref().is_some_and(by_id)
            || before(&caller.sub)
            || before(&caller.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_wrong_ones_named() {
        let text =
            "# the phone was stolen\ntoken 01J\n\nsubject acme 100 # twice\nsubject acme 50\n";
        let read = Revocations::parse(text).expect("lines");
        assert_eq!(read.count(), 2);
        assert_eq!(read.subjects["acme"], 100);
        for wrong in [
            "tokens 01J",
            "token",
            "token a b",
            "subject acme",
            "subject acme x",
            "subject acme -1",
            "subject acme 1 2",
        ] {
            let text = format!("token 01J\n{wrong}\n");
            assert_eq!(
                Revocations::parse(&text),
                Err(RevocationError { line: 2 }),
                "{wrong}"
            );
        }
    }
}
