//! Tokens that no longer count although they have not expired. A text of
//! lines, so that it can be read, kept under version control and mounted:
//!
//! ```text
//! # why, by whom
//! token 01JABCDEFGHJKMNPQRSTVWXYZ0
//! subject acme-gateway 1758700800
//! carrier acme 1758700800 1758704400
//! ```
//!
//! `token` names a token by its `jti`; `subject` and `carrier` all tokens of a
//! subject or a firm that were issued before a time, in seconds since 1970.
//! Tokens issued later count. A second time says from when on they are refused,
//! so that a firm can change over to its new token; without it they are at once.

use std::{
    collections::{HashMap, HashSet},
    fmt,
};

use crate::Caller;

/// Which tokens of somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Older {
    /// Issued before this second.
    pub before_secs: u64,
    /// Refused from this second on; 0: at once.
    pub from_secs: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    Token(String),
    Subject(String, Older),
    Carrier(String, Older),
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, whose, older) = match self {
            Self::Token(id) => return write!(f, "token {id}"),
            Self::Subject(subject, older) => ("subject", subject, older),
            Self::Carrier(carrier, older) => ("carrier", carrier, older),
        };
        write!(f, "{kind} {whose} {}", older.before_secs)?;
        if older.from_secs > 0 {
            write!(f, " {}", older.from_secs)?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "line {line} of the revocations is none: `token <jti>`, `subject <sub> <seconds since 1970>` \
     or `carrier <firm> <seconds since 1970>` is needed, the last two perhaps with the second from \
     which they count"
)]
pub struct RevocationError {
    pub line: usize,
}

/// What was revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    tokens: HashSet<String>,
    subjects: HashMap<String, Vec<Older>>,
    carriers: HashMap<String, Vec<Older>>,
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
            let words: Vec<&str> = line.split_whitespace().collect();
            let wrong = || RevocationError { line: index + 1 };
            match revocation(&words).ok_or_else(wrong)? {
                Revocation::Token(id) => {
                    all.tokens.insert(id);
                }
                Revocation::Subject(subject, older) => {
                    all.subjects.entry(subject).or_default().push(older);
                }
                Revocation::Carrier(carrier, older) => {
                    all.carriers.entry(carrier).or_default().push(older);
                }
            }
        }
        Ok(all)
    }

    /// How many tokens, subjects and firms are named.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tokens.len() + self.subjects.len() + self.carriers.len()
    }

    /// Whether the caller's token is revoked at a moment, in seconds since
    /// 1970.
    #[must_use]
    pub fn covers(&self, caller: &Caller, now_secs: u64) -> bool {
        let issued = caller.issued_secs.unwrap_or(0);
        let older = |lines: &HashMap<String, Vec<Older>>, name: &String| {
            let lines = lines.get(name).map_or(&[][..], Vec::as_slice);
            let counts = |line: &Older| issued < line.before_secs && line.from_secs <= now_secs;
            lines.iter().any(counts)
        };
        let named =
            |id: &Option<String>, test: &dyn Fn(&String) -> bool| id.as_ref().is_some_and(test);
        named(&caller.token_id, &|id| self.tokens.contains(id))
            || named(&caller.carrier, &|id| older(&self.carriers, id))
            || older(&self.subjects, &caller.sub)
            || older(&self.subjects, &caller.subject)
    }
}

fn revocation(words: &[&str]) -> Option<Revocation> {
    let (kind, whose, times) = match words {
        ["token", id] => return Some(Revocation::Token((*id).to_owned())),
        [kind, whose, times @ ..] => (*kind, (*whose).to_owned(), times),
        _ => return None,
    };
    let older = match times {
        [before] => Older {
            before_secs: before.parse().ok()?,
            from_secs: 0,
        },
        [before, from] => Older {
            before_secs: before.parse().ok()?,
            from_secs: from.parse().ok()?,
        },
        _ => return None,
    };
    match kind {
        "subject" => Some(Revocation::Subject(whose, older)),
        "carrier" => Some(Revocation::Carrier(whose, older)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_wrong_ones_named() {
        let text = "# the phone was stolen\ntoken 01J\n\nsubject acme 100 # twice\nsubject acme 50 70\n\
             carrier acme 100 200\n";
        let read = Revocations::parse(text).expect("lines");
        assert_eq!(read.count(), 3);
        let whole: Vec<_> = text
            .lines()
            .filter_map(|line| {
                let words: Vec<_> = line.split('#').next()?.split_whitespace().collect();
                Some(revocation(&words)?.to_string())
            })
            .collect();
        assert_eq!(
            whole,
            [
                "token 01J",
                "subject acme 100",
                "subject acme 50 70",
                "carrier acme 100 200"
            ]
        );
        for wrong in [
            "tokens 01J",
            "token",
            "token a b",
            "subject acme",
            "subject acme x",
            "subject acme -1",
            "subject acme 1 2 3",
            "carrier acme",
            "carrier acme 1 x",
            "firm acme 1",
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
