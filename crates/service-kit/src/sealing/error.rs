//! What can go wrong with keys, for the one who must act.

use std::path::PathBuf;

use bus::BusError;

use super::master::MasterId;

#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    #[error("the master key {path} cannot be read; put it there, or set sealing.master_key_file")]
    MasterKeyMissing {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the master key {0} must be 64 hexadecimal digits")]
    MasterKeyMalformed(String),
    #[error(
        "the key for request digests in {path} cannot be used: restore the file from a copy. \
         Without it repeated requests are not recognised; if it is lost for good, remove it"
    )]
    DigestKeyFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "no master key is given: name its file in sealing.master_key_file, or put it into the \
         environment variable BAOGONG_SEALING__MASTER_KEY"
    )]
    MasterKeyUnset,
    #[error(
        "two master keys are given, in the file {0} and in sealing.master_key \
         (BAOGONG_SEALING__MASTER_KEY): take one of them out"
    )]
    MasterKeyTwice(PathBuf),
    #[error(
        "sealing.previous_master_keys names {path}, which holds the same key as the one {current}: \
         put the new key there, or take the previous one out"
    )]
    PreviousIsCurrent { path: PathBuf, current: String },
    #[error(
        "the master key {given} is not the one with which the data keys in NATS were made; put the \
         right one there, or name it in sealing.previous_master_keys if this one is to replace it"
    )]
    OtherMasterKey { given: String },
    #[error(
        "the master key {given} is not in force any more: it was replaced by the one with id \
         {by}. Put that one there"
    )]
    Replaced { given: String, by: MasterId },
    #[error(
        "the change to the master key {given} is not finished: data keys are still under the one \
         with id {old}. Name its file in sealing.previous_master_keys; then the change goes on by \
         itself, or with `baogong keys rotate-master`"
    )]
    RotationUnfinished { given: String, old: MasterId },
    #[error(
        "{count} data keys were made with master keys that are not given (for example the one with \
         id {id}). Nothing was changed. Name their files in sealing.previous_master_keys and rotate \
         again; if those are lost for good, --leave-unreadable passes such keys over"
    )]
    RotationUnreadable { count: u64, id: String },
    #[error(
        "{0} data keys are still as the first release made them. Nothing was changed. Start the \
         order service of this version with the old master key, wait until its log says that the \
         keys are up to date, and rotate then"
    )]
    RotationTooEarly(u64),
    #[error("the key {key_id} was made with another master key{by}; {what}")]
    WrongMasterKey {
        key_id: String,
        /// " (id …)" where it is known.
        by: String,
        what: &'static str,
    },
    #[error("the personal data of {0} were erased, and nothing can be sealed for it any more")]
    Erased(String),
    #[error("the sealed value of {0} was altered or belongs to another household")]
    Altered(String),
    #[error("the keys cannot be reached: {0}")]
    Bus(#[from] BusError),
}
