//! A change of the master key: every data key is wrapped anew under the new
//! one, and the old wrapping is destroyed.
//!
//! 1. All is read once. What cannot be read stops it before anything changes.
//! 2. The change is noted in the bucket with the ids of both master keys.
//! 3. The check is made with the new master key. From here on it is in force:
//!    every process makes new data keys under it.
//! 4. Each data key is replaced, on condition that nobody else changed it. This
//!    is repeated until nothing is left, for keys that were made meanwhile.
//! 5. Values that a crash left behind are destroyed, and the change is noted as
//!    done.
//!
//! Doing it again, at any point, by one process or by several at once, goes on
//! where it stands. Services that know both master keys keep working.

use std::{convert::Infallible, time::Duration};

use super::{
    CHECK, KeyRing, MasterId, MasterKey, SealingError, aead, bucket_key,
    wrapping::{self, Unwrapped},
};

const ROTATION: &str = "rotation";
const BEGUN: u8 = b'1';
const DONE: u8 = b'2';
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A change as the bucket tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rotation {
    pub(super) old: MasterId,
    pub(super) new: MasterId,
    pub(super) done: bool,
}

impl Rotation {
    fn encode(self) -> Vec<u8> {
        let stand = if self.done { DONE } else { BEGUN };
        [&[stand][..], &self.old.0, &self.new.0].concat()
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let (stand, ids) = value.split_first()?;
        let (old, new) = ids.split_at_checked(8)?;
        Some(Self {
            old: MasterId(old.try_into().ok()?),
            new: MasterId(new.try_into().ok()?),
            done: *stand == DONE,
        })
    }
}

/// What a rotation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// The master key that is in force now.
    pub to: MasterId,
    /// Data keys that were wrapped anew.
    pub rewrapped: u64,
    /// Data keys that were under the new master key already.
    pub already: u64,
    /// Data keys that no given master key opens; passed over as was asked.
    pub unreadable: u64,
    /// Wrappings that an earlier attempt had left behind, destroyed now.
    pub swept: u64,
}

#[derive(Default)]
struct Pass {
    rewrapped: u64,
    already: u64,
    /// Changed by somebody else meanwhile: to be looked at again.
    raced: u64,
    unreadable: u64,
    needs_id: u64,
    /// For example.
    unreadable_id: Option<MasterId>,
}

impl KeyRing {
    pub(super) async fn rotation(&self) -> Result<Option<Rotation>, SealingError> {
        let kept = self.bucket.kept(&bucket_key(ROTATION)).await?;
        Ok(kept.and_then(|kept| Rotation::decode(&kept.value)))
    }

    /// Whether a change to the current master key is to be finished here.
    pub(super) async fn check_rotation(&self, in_force: &MasterKey) -> Result<bool, SealingError> {
        let current = &self.masters.current;
        match self.rotation().await? {
            Some(rotation)
                if !rotation.done
                    && rotation.new == current.id()
                    && in_force.id() == current.id() =>
            {
                if self.masters.find(rotation.old).is_none() {
                    return Err(SealingError::RotationUnfinished {
                        given: current.to_string(),
                        old: rotation.old,
                    });
                }
                Ok(true)
            }
            _ => {
                if in_force.id() != current.id() {
                    tracing::warn!(
                        in_force = %in_force,
                        configured = %current,
                        "the master key in force is a previous one; when all services know both, \
                         `baogong keys rotate-master` changes it"
                    );
                }
                Ok(false)
            }
        }
    }

    /// Puts the current master key in force, and every data key under it.
    ///
    /// # Errors
    /// Data keys cannot be read, which stops it before it begins; or the keys
    /// cannot be reached: rotate again.
    pub async fn rotate(&self, leave_unreadable: bool) -> Result<Rotated, SealingError> {
        self.survey(leave_unreadable).await?;
        let current = &self.masters.current;
        let in_force = self.in_force().await?;
        let earlier = self.rotation().await?;
        let changes = in_force.id() != current.id();
        let mut note = match earlier {
            // One that was begun is the one to be finished.
            Some(rotation) if !changes && rotation.new == current.id() => rotation,
            _ => Rotation {
                old: in_force.id(),
                new: current.id(),
                done: false,
            },
        };
        note.done = false;
        self.note_rotation(note).await?;
        if changes {
            self.put_in_force(current).await?;
        }
        let mut rewrapped = 0;
        let last = loop {
            let pass = self.pass(true).await?;
            rewrapped += pass.rewrapped;
            if pass.rewrapped + pass.raced == 0 {
                break pass;
            }
        };
        let swept = self.bucket.sweep().await?;
        note.done = true;
        self.note_rotation(note).await?;
        Ok(Rotated {
            to: current.id(),
            rewrapped,
            already: last.already.saturating_sub(rewrapped),
            unreadable: last.unreadable,
            swept,
        })
    }

    /// Finishes a change that was begun, trying again until it is done; then
    /// waits for ever.
    ///
    /// # Errors
    /// Never; it has the form of a supervised task.
    pub async fn finish_rotation(self) -> anyhow::Result<Infallible> {
        loop {
            match self.rotate(true).await {
                Ok(rotated) => {
                    tracing::info!(?rotated, "the change of the master key is finished");
                    std::future::pending::<()>().await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the change of the master key is not finished yet");
                    tokio::time::sleep(TRY_AGAIN_AFTER).await;
                }
            }
        }
    }

    async fn survey(&self, leave_unreadable: bool) -> Result<(), SealingError> {
        let found = self.pass(false).await?;
        if found.needs_id > 0 {
            return Err(SealingError::RotationTooEarly(found.needs_id));
        }
        if found.unreadable > 0 && !leave_unreadable {
            return Err(SealingError::RotationUnreadable {
                count: found.unreadable,
                id: found
                    .unreadable_id
                    .map_or_else(|| "unknown".to_owned(), |id| id.to_string()),
            });
        }
        Ok(())
    }

    pub(super) async fn note_rotation(&self, rotation: Rotation) -> Result<(), SealingError> {
        let value = rotation.encode().into();
        Ok(self.bucket.overwrite(&bucket_key(ROTATION), value).await?)
    }

    pub(super) async fn put_in_force(&self, master: &MasterKey) -> Result<(), SealingError> {
        let key = bucket_key(CHECK);
        loop {
            let kept = self.bucket.kept(&key).await?;
            let Some(kept) = kept else {
                return Err(SealingError::OtherMasterKey {
                    given: master.to_string(),
                });
            };
            if self
                .made_check(&kept)
                .is_some_and(|by| by.id() == master.id())
            {
                return Ok(());
            }
            let check = wrapping::wrap(master, &key, &aead::random_key());
            if self
                .bucket
                .replace(&key, check.into(), kept.revision)
                .await?
            {
                return Ok(());
            }
        }
    }

    /// Goes through all keys once.
    async fn pass(&self, rewrap: bool) -> Result<Pass, SealingError> {
        let current = &self.masters.current;
        let mut pass = Pass::default();
        let besides = [CHECK, ROTATION].map(bucket_key);
        for key in self.bucket.keys().await? {
            if besides.contains(&key) {
                continue;
            }
            let Some(kept) = self.bucket.kept(&key).await? else {
                continue;
            };
            match wrapping::unwrap(&self.masters, &key, None, &kept.value) {
                Unwrapped::Erased | Unwrapped::Note => {}
                Unwrapped::NeedsId => pass.needs_id += 1,
                Unwrapped::OtherMaster(by) => {
                    pass.unreadable += 1;
                    pass.unreadable_id = pass.unreadable_id.or(by);
                }
                Unwrapped::Key { by, .. } if by == current.id() => pass.already += 1,
                Unwrapped::Key { key: plain, .. } if rewrap => {
                    let wrapped = wrapping::wrap(current, &key, &plain).into();
                    if self.bucket.replace(&key, wrapped, kept.revision).await? {
                        pass.rewrapped += 1;
                    } else {
                        pass.raced += 1;
                    }
                }
                Unwrapped::Key { .. } => {}
            }
        }
        Ok(pass)
    }
}
