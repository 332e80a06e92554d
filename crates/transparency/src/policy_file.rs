//! The text of a policy, C2SP tlog-policy, one statement a line:
//!
//! ```text
//! log <key> [<url>]
//! witness <name> <key> [<url>]
//! group <name> <number, all or any> <member>...
//! quorum <group, witness or none>
//! ```
//!
//! and two statements of ours for keys that no longer count, or not always.
//! Tools that do not know them refuse the file, which is the safe side.
//!
//! ```text
//! sizes <key name>+<id> <from> <until or ->
//! revoked <key name>+<id>
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use thiserror::Error;

use crate::keys::{KeyError, KeyLabel, KeyUse, PublicKey};
use crate::log_keys::{LogKeys, Validity};
use crate::origin::{Origin, OriginError};
use crate::policy::{Party, PartyKind, Policy};

/// What is wrong with a policy, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicyError {
    /// From 1; one past the last line for what is missing altogether.
    pub line: usize,
    pub fault: PolicyFault,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PolicyFault {
    #[error("{0:?} is no statement; there are log, witness, group, quorum, sizes and revoked")]
    UnknownStatement(String),
    #[error("control characters other than tab are not allowed")]
    ControlCharacter,
    #[error("the statement reads: {0}")]
    Incomplete(&'static str),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Origin(#[from] OriginError),
    #[error("the same public key was given before; it would count twice")]
    SameKeyTwice,
    #[error("the name {0:?} is taken")]
    NameTaken(String),
    #[error("no witness or group {0:?} above this line")]
    UnknownName(String),
    #[error("{0:?} is a member of a group already and would count twice")]
    MemberTwice(String),
    #[error("{needed} of {members} members can never agree")]
    Threshold { needed: usize, members: usize },
    #[error("{0:?} is neither a number nor `all` or `any`")]
    NotAThreshold(String),
    #[error("{0:?} is not a number of records")]
    NotASize(String),
    #[error("{0:?} is no URL; it begins with http:// or https://")]
    NotAUrl(String),
    #[error("no key {0} above this line")]
    UnknownKey(KeyLabel),
    #[error("a second quorum; the policy says what is required once")]
    SecondQuorum,
    #[error("no quorum; write `quorum none` where no cosignature is required")]
    NoQuorum,
    #[error("no log; nothing could be accepted")]
    NoLog,
    #[error("the policy cannot be met: without the revoked keys, {quorum} never agrees")]
    CannotBeMet { quorum: String },
    #[error("the policy cannot be met: {0} has no key that counts")]
    LogWithoutKey(Origin),
}

#[derive(Default)]
struct Reader {
    logs: BTreeMap<Origin, LogKeys>,
    log_urls: BTreeMap<Origin, String>,
    parties: Vec<Party>,
    quorum: Option<Option<usize>>,
    log_keys: BTreeSet<[u8; 32]>,
    witness_keys: BTreeSet<[u8; 32]>,
    members: BTreeSet<usize>,
}

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        let mut lines = 0;
        for (line, statement) in (1..).zip(text.split_terminator('\n')) {
            lines = line;
            let read = reader.statement(statement);
            read.map_err(|fault| PolicyError { line, fault })?;
        }
        let line = lines + 1;
        reader.finish().map_err(|fault| PolicyError { line, fault })
    }
}

/// Whoever fetches from it reads the rest of it.
fn read_url(text: &str) -> Result<String, PolicyFault> {
    let host = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') => Ok(text.into()),
        _ => Err(PolicyFault::NotAUrl(text.into())),
    }
}

impl Reader {
    fn statement(&mut self, line: &str) -> Result<(), PolicyFault> {
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err(PolicyFault::ControlCharacter);
        }
        let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        let incomplete = |form| Err(PolicyFault::Incomplete(form));
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(read_url(url)?)),
            ["log", ..] => incomplete("log <key> [<url>]"),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(read_url(url)?)),
            ["witness", ..] => incomplete("witness <name> <key> [<url>]"),
            ["group", name, needed, ref members @ ..] if !members.is_empty() => {
                self.group(name, needed, members)
            }
            ["group", ..] => incomplete("group <name> <number, all or any> <member>..."),
            ["quorum", name] => self.set_quorum(name),
            ["quorum", ..] => incomplete("quorum <group, witness or none>"),
            ["sizes", key, from, until] => self.sizes(&key.parse()?, from, until),
            ["sizes", ..] => incomplete("sizes <key name>+<id> <from> <until or ->"),
            ["revoked", key] => self.revoked(&key.parse()?),
            ["revoked", ..] => incomplete("revoked <key name>+<id>"),
            [other, ..] => Err(PolicyFault::UnknownStatement(other.into())),
        }
    }

    fn log(&mut self, key: &str, url: Option<String>) -> Result<(), PolicyFault> {
        let key: PublicKey = key.parse()?;
        let key = key.for_use(KeyUse::Log)?;
        if !self.log_keys.insert(*key.bytes()) {
            return Err(PolicyFault::SameKeyTwice);
        }
        let origin: Origin = key.label().name.parse()?;
        let keys = LogKeys::new(origin.clone());
        if let Some(url) = url {
            self.log_urls.insert(origin.clone(), url);
        }
        let keys = self.logs.entry(origin).or_insert(keys);
        Ok(keys.set(key, Validity::ALWAYS)?)
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<String>) -> Result<(), PolicyFault> {
        let key: PublicKey = key.parse()?;
        let key = key.for_use(KeyUse::Cosigner)?;
        if !self.witness_keys.insert(*key.bytes()) {
            return Err(PolicyFault::SameKeyTwice);
        }
        let (key, revoked) = (Box::new(key), false);
        self.define(name, PartyKind::Witness { key, url, revoked })
    }

    fn group(&mut self, name: &str, needed: &str, names: &[&str]) -> Result<(), PolicyFault> {
        let mut members = Vec::new();
        for name in names {
            let member = self.party(name)?;
            if !self.members.insert(member) {
                return Err(PolicyFault::MemberTwice((*name).into()));
            }
            members.push(member);
        }
        let needed = match needed {
            "all" => members.len(),
            "any" => 1,
            number => number
                .parse()
                .map_err(|_| PolicyFault::NotAThreshold(number.into()))?,
        };
        if !(1..=members.len()).contains(&needed) {
            let members = members.len();
            return Err(PolicyFault::Threshold { needed, members });
        }
        self.define(name, PartyKind::Group { needed, members })
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::SecondQuorum);
        }
        self.quorum = Some(match name {
            "none" => None,
            name => Some(self.party(name)?),
        });
        Ok(())
    }

    fn sizes(&mut self, label: &KeyLabel, from: &str, until: &str) -> Result<(), PolicyFault> {
        let size = |text: &str| {
            let size = text.parse::<u64>();
            size.map_err(|_| PolicyFault::NotASize(text.into()))
        };
        let until = match until {
            "-" => None,
            until => Some(size(until)?),
        };
        let from = size(from)?;
        self.set_validity(label, Validity::Sizes { from, until })
    }

    fn set_validity(&mut self, label: &KeyLabel, validity: Validity) -> Result<(), PolicyFault> {
        let mut logs = self.logs.values_mut();
        let set = logs.any(|keys| keys.set_validity(label, validity).is_ok());
        if set {
            return Ok(());
        }
        Err(PolicyFault::UnknownKey(label.clone()))
    }

    fn revoked(&mut self, label: &KeyLabel) -> Result<(), PolicyFault> {
        for party in &mut self.parties {
            if let PartyKind::Witness { key, revoked, .. } = &mut party.kind
                && key.label() == label
            {
                *revoked = true;
                return Ok(());
            }
        }
        self.set_validity(label, Validity::Revoked)
    }

    fn party(&self, name: &str) -> Result<usize, PolicyFault> {
        let mut parties = self.parties.iter();
        let at = parties.position(|party| party.name == name);
        at.ok_or_else(|| PolicyFault::UnknownName(name.into()))
    }

    fn define(&mut self, name: &str, kind: PartyKind) -> Result<(), PolicyFault> {
        if name == "none" || self.party(name).is_ok() {
            return Err(PolicyFault::NameTaken(name.into()));
        }
        let name = name.into();
        self.parties.push(Party { name, kind });
        Ok(())
    }

    fn finish(self) -> Result<Policy, PolicyFault> {
        if self.logs.is_empty() {
            return Err(PolicyFault::NoLog);
        }
        let counts = |(_, validity): (_, Validity)| validity != Validity::Revoked;
        if let Some(keys) = self.logs.values().find(|keys| !keys.keys().any(counts)) {
            return Err(PolicyFault::LogWithoutKey(keys.origin().clone()));
        }
        let quorum = self.quorum.ok_or(PolicyFault::NoQuorum)?;
        let policy = Policy {
            logs: self.logs,
            log_urls: self.log_urls,
            parties: self.parties,
            quorum,
        };
        let can_agree =
            |party: &Party| matches!(party.kind, PartyKind::Witness { revoked, .. } if !revoked);
        if policy.quorum_met(policy.parties.iter().map(can_agree).collect()) {
            return Ok(policy);
        }
        let quorum = policy.quorum_name().into();
        Err(PolicyFault::CannotBeMet { quorum })
    }
}
