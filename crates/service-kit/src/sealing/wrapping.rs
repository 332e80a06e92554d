//! How a data key lies in the bucket: wrapped by a master key.
//!
//! Two forms, both to be kept readable:
//!
//! - The first release's, 60 bytes: nonce (12), ciphertext with tag (48), bound
//!   to the key's id. It opens only to who knows that id, so a rotation, which
//!   sees the bucket alone, cannot wrap it anew: it is brought up to date where
//!   the id is known (see [`super::KeyRing::upgrade`]).
//! - The present one, 69 bytes: `0x02`, id of the master key (8), nonce (12),
//!   ciphertext with tag (48), bound to the bucket's key.
//!
//! A value of six bytes, `erased`, stands where a data key was destroyed. It
//! bars the name for ever.

use super::{
    aead::{self, KEY_BYTES, Key, NONCE_BYTES, TAG_BYTES},
    master::{MasterId, MasterKey, MasterKeys},
};

const CURRENT: u8 = 2;
const FIRST_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;
const ID_BYTES: usize = size_of::<MasterId>();
const CURRENT_BYTES: usize = 1 + ID_BYTES + FIRST_BYTES;
pub(super) const ERASED: &[u8] = b"erased";
/// Of an entry that is there or not, and holds no key.
pub(super) const NOTE: &[u8] = b"note";

/// What a value of the bucket turned out to be.
pub(super) enum Unwrapped {
    Key {
        key: Key,
        by: MasterId,
        form: Form,
    },
    Erased,
    Note,
    /// By a master key that we do not have; its id where the value tells it.
    OtherMaster(Option<MasterId>),
    /// Of the first release's form, and nobody told the key's id.
    NeedsId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    First,
    Current,
}

pub(super) fn wrap(master: &MasterKey, bucket_key: &str, key: &Key) -> Vec<u8> {
    let (nonce, ciphertext) = aead::encrypt(master.bytes(), bucket_key, key);
    [&[CURRENT][..], &master.id().0, &nonce, &ciphertext].concat()
}

/// `key_id` is needed for the first release's form alone.
pub(super) fn unwrap(
    masters: &MasterKeys,
    bucket_key: &str,
    key_id: Option<&str>,
    value: &[u8],
) -> Unwrapped {
    if value == ERASED {
        return Unwrapped::Erased;
    }
    if value == NOTE {
        return Unwrapped::Note;
    }
    let (form, masters_id, name, sealed) = match (value.len(), value.first()) {
        (CURRENT_BYTES, Some(&CURRENT)) => {
            let mut id = [0; ID_BYTES];
            id.copy_from_slice(&value[1..=ID_BYTES]);
            let sealed = &value[1 + ID_BYTES..];
            (Form::Current, Some(MasterId(id)), bucket_key, sealed)
        }
        (FIRST_BYTES, _) => match key_id {
            Some(key_id) => (Form::First, None, key_id, value),
            None => return Unwrapped::NeedsId,
        },
        _ => return Unwrapped::OtherMaster(None),
    };
    let (nonce, ciphertext) = sealed.split_at(NONCE_BYTES);
    masters
        .all()
        .filter(|master| masters_id.is_none_or(|id| id == master.id()))
        .find_map(|master| {
            let key = aead::decrypt(master.bytes(), name, nonce, ciphertext)?;
            Some(Unwrapped::Key {
                key: key.try_into().ok()?,
                by: master.id(),
                form,
            })
        })
        .unwrap_or(Unwrapped::OtherMaster(masters_id))
}

/// As the first release wrapped a key: for tests of what it left behind.
#[cfg(test)]
pub(super) fn wrap_as_first(master: &MasterKey, key_id: &str, key: &[u8]) -> Vec<u8> {
    let (nonce, ciphertext) = aead::encrypt(master.bytes(), key_id, key);
    [&nonce[..], &ciphertext].concat()
}
