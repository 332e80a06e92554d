//! Every "no" to an upload or a download that the domain does not say.

use tonic::Code;

use super::{CHUNK_BYTES_MAX, upload::RUNNING_MAX};

#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("the first message of an upload has the header, each that follows a chunk")]
    Order,
    #[error("area and carrier_id are the same in every message of an upload")]
    Mixed,
    #[error("a chunk has {bytes} bytes; 1 to {CHUNK_BYTES_MAX} are possible")]
    Chunk { bytes: usize },
    #[error("more came than the {size} bytes that the header says; nothing was kept")]
    TooMuch { size: u64 },
    #[error(
        "{received} of {size} bytes came: go on with offset_bytes = {received}, within an hour"
    )]
    Incomplete { received: u64, size: u64 },
    #[error(
        "{received} bytes are there, and you go on at {offset}: ask GetUpload, and begin there"
    )]
    Offset { received: u64, offset: u64 },
    #[error("what came does not have the hash that the header says; nothing was kept, begin anew")]
    Hash,
    #[error("what came does not begin as a photo of the format {format} does; nothing was kept")]
    Format { format: &'static str },
    #[error("nothing came for {secs} seconds: ask GetUpload where to go on")]
    Stalled { secs: u64 },
    #[error("another upload of the same photo took over; this one ends")]
    TakenOver,
    #[error("{RUNNING_MAX} uploads of your firm are under way, which is the limit; wait for one")]
    TooMany,
    #[error("the photo was erased; its hash is all that is left")]
    Erased,
    #[error("the photo was stored and is lost; whoever took it may upload it again")]
    Missing,
    #[error("the photo cannot be written or read at the moment; try again later")]
    Disk,
}

impl Refusal {
    /// As the guide lists them.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Order => "UPLOAD_ORDER",
            Self::Mixed => "UPLOAD_MIXED",
            Self::Chunk { .. } => "UPLOAD_CHUNK_SIZE",
            Self::TooMuch { .. } => "UPLOAD_TOO_LONG",
            Self::Incomplete { .. } => "UPLOAD_INCOMPLETE",
            Self::Offset { .. } => "UPLOAD_OFFSET",
            Self::Hash => "UPLOAD_HASH_DIFFERS",
            Self::Format { .. } => "UPLOAD_FORMAT_DIFFERS",
            Self::Stalled { .. } => "UPLOAD_STALLED",
            Self::TakenOver => "UPLOAD_TAKEN_OVER",
            Self::TooMany => "UPLOADS_TOO_MANY",
            Self::Erased => "PHOTO_ERASED",
            Self::Missing => "PHOTO_MISSING",
            Self::Disk => "PHOTO_DISK",
        }
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Order
            | Self::Mixed
            | Self::Chunk { .. }
            | Self::TooMuch { .. }
            | Self::Hash
            | Self::Format { .. } => Code::InvalidArgument,
            Self::Offset { .. } => Code::OutOfRange,
            Self::Incomplete { .. } | Self::Erased => Code::FailedPrecondition,
            Self::Stalled { .. } => Code::DeadlineExceeded,
            Self::TakenOver => Code::Aborted,
            Self::TooMany => Code::ResourceExhausted,
            Self::Missing => Code::DataLoss,
            Self::Disk => Code::Unavailable,
        }
    }
}
