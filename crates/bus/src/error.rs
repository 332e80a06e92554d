//! What can go wrong on the bus, for the one who must act.

/// An error of which only the text matters.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    #[error("bus options: {0}")]
    Config(String),

    /// The stream is there, but not as a replica of a log must be.
    #[error(
        "JetStream stream {stream} has {setting} = {found}, wanted is {wanted}: change it with \
         `nats stream edit`, or remove the stream and let it be filled again from the log"
    )]
    Settings {
        stream: String,
        setting: &'static str,
        wanted: String,
        found: String,
    },

    /// The server will not create the stream, however often it is asked.
    #[error("the NATS server refuses to create JetStream stream {stream}: {reason}")]
    Refused { stream: String, reason: String },

    /// The stream does not hold the message at `expected`, but a later one.
    /// The source service can supply what is missing from its log.
    #[error("the stream has no message {expected}, the next one is {got}")]
    Gap { expected: u64, got: u64 },

    /// Somebody else writes to this stream.
    #[error(
        "JetStream stream {stream} differs from our event log at position {position}: another \
         writer holds this partition, or the log directory is an old copy; this process must not \
         go on. Compare both with `baogong audit reconcile`"
    )]
    Fenced { stream: String, position: u64 },

    #[error("JetStream stream {stream} does not exist (yet)")]
    NoStream { stream: String },

    /// Passing trouble: the server is away, restarting or electing a leader.
    #[error("NATS is not available: {doing}")]
    Unavailable {
        doing: String,
        #[source]
        source: BoxError,
    },

    /// The event log could not be read, or gave what cannot be published.
    #[error("the relay cannot read position {position} of the event log")]
    Outbox {
        position: u64,
        #[source]
        source: BoxError,
    },

    #[error("`{0}` is not a key: use letters, digits and any of -/_=.")]
    Key(String),
}

impl BusError {
    /// Whether the same call may succeed later without anybody acting.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::NoStream { .. })
    }

    pub(crate) fn unavailable(doing: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Unavailable {
            doing: doing.into(),
            source: source.into(),
        }
    }
}

/// An error with all its sources on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
