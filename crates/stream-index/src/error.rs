//! What can go wrong with an index. Whatever it is, the index can be made anew
//! from its log.

use std::{io, path::PathBuf};

use decider::{Position, Revision, StreamId};

/// Why the index does not answer or was not written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("{doing} the stream index in {}", path.display())]
    Store {
        doing: &'static str,
        path: PathBuf,
        #[source]
        error: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the stream index in {} holds a value of {what} that cannot be read; it is made anew at \
         the next start", path.display()
    )]
    Damaged { path: PathBuf, what: &'static str },
    #[error(
        "position {position}: {stream} was to have revision {expected}, but the record says {found}"
    )]
    RevisionGap {
        position: Position,
        stream: StreamId,
        expected: Revision,
        found: Revision,
    },
}

impl IndexError {
    pub(crate) fn store(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(fjall::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Store {
            doing,
            path,
            error: Box::new(error),
        }
    }

    pub(crate) fn io(
        doing: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Store {
            doing,
            path,
            error: Box::new(error),
        }
    }
}
