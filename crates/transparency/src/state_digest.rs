//! What a log's owner says its records add up to: the digest of the state that
//! a certain program folds from them, as an extension line of a checkpoint.
//!
//! ```text
//! state <position> <code> <digest in base64>
//! ```
//!
//! The log's signature covers the line; a cosigner says nothing about it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use thiserror::Error;

/// Digest of the state after the record at `position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDigest {
    /// Last record folded, 1-based; at most the checkpoint's size.
    pub position: u64,
    /// Fingerprint of the program that folded it: another one may hold the same
    /// facts in another form, so digests of different programs cannot be
    /// compared. Without spaces.
    pub code: String,
    /// SHA-256 of the state in its canonical form.
    pub digest: [u8; 32],
}

/// A line that is none of ours, or not written in the one right way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no state line; it reads state <position> <code> <digest in base64>")]
pub struct BadStateDigest(pub String);

impl fmt::Display for StateDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = BASE64_STANDARD.encode(self.digest);
        write!(f, "state {} {} {digest}", self.position, self.code)
    }
}

impl FromStr for StateDigest {
    type Err = BadStateDigest;

    fn from_str(line: &str) -> Result<Self, BadStateDigest> {
        let bad = || BadStateDigest(line.into());
        let words: Vec<&str> = line.split(' ').collect();
        let ["state", position, code, digest] = words[..] else {
            return Err(bad());
        };
        let digest = BASE64_STANDARD.decode(digest).map_err(|_| bad())?;
        let found = Self {
            position: position.parse().map_err(|_| bad())?,
            code: code.into(),
            digest: digest.try_into().map_err(|_| bad())?,
        };
        if found.to_string() == line && !code.is_empty() {
            Ok(found)
        } else {
            Err(bad())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_line_has_one_spelling() {
        let state = StateDigest {
            position: 17,
            code: "0.1.0-5f0a".into(),
            digest: [7; 32],
        };
        let line = state.to_string();
        assert_eq!(line.parse(), Ok(state));
        for wrong in [
            "",
            "state 17 x",
            &line.replace("17", "017"),
            &line.replace("17", "+17"),
            &line.replace("0.1.0-5f0a", ""),
            &format!("{line} "),
            &line[..line.len() - 4],
        ] {
            assert_eq!(
                wrong.parse::<StateDigest>(),
                Err(BadStateDigest(wrong.into()))
            );
        }
    }
}
