//! The one form in which a machine is written down: what is in it depends on
//! the log alone, so two programs of the same code that folded the same records
//! write the same bytes, and a digest of them can be compared.
//!
//! Not in it: what the stream index answers (revisions, answered requests), and
//! how far sources were taken in without a record that says so.
//!
//! The encoding is postcard's of the fields below in their order. A change of
//! the fields, or of what a domain's state serializes to, changes the code's
//! fingerprint, and with it drops all snapshots.

use std::collections::BTreeMap;

use decider::{Domain, Position, Service, Timestamp};
use serde::{Deserialize, Serialize};

use super::Machine;

/// Why a machine could not be written down, or read back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    #[error("the state cannot be encoded or decoded: {0}")]
    Encoding(#[from] postcard::Error),
    #[error("{0} bytes stand behind the state")]
    Trailing(usize),
    #[error("it is of partition {found_service}-{found_partition}, not {service}-{partition}")]
    Other {
        service: Service,
        partition: u32,
        found_service: Service,
        found_partition: u32,
    },
}

#[derive(Serialize)]
struct Written<'a, S> {
    head: Head,
    cursors: &'a BTreeMap<Service, Position>,
    state: &'a S,
}

#[derive(Deserialize)]
struct Read<S> {
    head: Head,
    cursors: BTreeMap<Service, Position>,
    state: S,
}

#[derive(Serialize, Deserialize)]
struct Head {
    service: Service,
    partition: u32,
    position: Position,
    last_recorded: Timestamp,
    test_clock: Option<Timestamp>,
}

impl<D: Domain> Machine<D> {
    /// The canonical form, appended to `bytes`.
    ///
    /// # Errors
    /// The domain's state has a part that cannot be encoded.
    pub fn canonical(&self, bytes: Vec<u8>) -> Result<Vec<u8>, CanonicalError> {
        let written = Written {
            head: Head {
                service: D::SERVICE,
                partition: self.partition,
                position: self.position,
                last_recorded: self.last_recorded,
                test_clock: self.test_clock,
            },
            cursors: &self.recorded_cursors,
            state: &self.state,
        };
        Ok(postcard::to_extend(&written, bytes)?)
    }

    /// What [`Self::canonical`] writes, as it is now, made in little time; none
    /// where the domain cannot. It is good for nothing else.
    #[must_use]
    pub fn frozen(&mut self) -> Option<Self> {
        Some(Self {
            state: D::frozen(&mut self.state)?,
            position: self.position,
            last_recorded: self.last_recorded,
            recorded_cursors: self.recorded_cursors.clone(),
            test_clock: self.test_clock,
            ..Self::reader(self.partition)
        })
    }

    /// A machine as it was when it was written down; like [`Self::reader`] it
    /// knows no revision and no answered request.
    ///
    /// # Errors
    /// The bytes are not the canonical form of a machine of this partition.
    pub fn from_canonical(bytes: &[u8], partition: u32) -> Result<Self, CanonicalError> {
        let (read, rest) = postcard::take_from_bytes::<Read<D::State>>(bytes)?;
        if !rest.is_empty() {
            return Err(CanonicalError::Trailing(rest.len()));
        }
        let head = read.head;
        if (head.service, head.partition) != (D::SERVICE, partition) {
            return Err(CanonicalError::Other {
                service: D::SERVICE,
                partition,
                found_service: head.service,
                found_partition: head.partition,
            });
        }
        Ok(Self {
            state: read.state,
            position: head.position,
            last_recorded: head.last_recorded,
            cursors: read.cursors.clone(),
            recorded_cursors: read.cursors,
            test_clock: head.test_clock,
            ..Self::reader(partition)
        })
    }
}
