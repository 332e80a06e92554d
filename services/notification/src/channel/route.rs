//! The channels of the configuration, in order: the next one is tried where
//! one does not take a message over.
//!
//! A channel that answered too late may have sent it all the same, so that the
//! household gets it by two channels: rather twice than not at all.

use std::sync::Arc;

use super::{Channel, ChannelError, ChannelKind, Outgoing};

/// One or more channels.
pub struct Route {
    channels: Vec<Arc<dyn Channel>>,
}

/// How a message fared on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The channel that took it over, or the last that did not.
    pub channel: ChannelKind,
    pub result: Result<(), ChannelError>,
}

impl Route {
    /// None where there is no channel.
    #[must_use]
    pub fn new(channels: Vec<Arc<dyn Channel>>) -> Option<Self> {
        (!channels.is_empty()).then_some(Self { channels })
    }

    /// The channel that is tried first.
    #[must_use]
    pub fn first(&self) -> ChannelKind {
        self.channels
            .first()
            .map_or(ChannelKind::Unspecified, |channel| channel.kind())
    }

    /// Hands the message to the first channel that takes it. Trying again is
    /// of no use only where every channel says so.
    pub async fn send(&self, message: &Outgoing) -> Outcome {
        let mut channel = ChannelKind::Unspecified;
        let mut errors: Vec<ChannelError> = Vec::new();
        for next in &self.channels {
            channel = next.kind();
            match next.send(message).await {
                Ok(()) => {
                    let result = Ok(());
                    return Outcome { channel, result };
                }
                Err(error) => errors.push(error),
            }
        }
        let permanent = errors.iter().all(|error| error.permanent);
        let messages: Vec<_> = errors.into_iter().map(|error| error.message).collect();
        Outcome {
            channel,
            result: Err(ChannelError {
                message: messages.join("; "),
                permanent,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::{super::tests::message, *};

    struct Stub {
        kind: ChannelKind,
        result: Result<(), ChannelError>,
        asked: AtomicUsize,
    }

    #[async_trait::async_trait]
    impl Channel for Stub {
        fn kind(&self) -> ChannelKind {
            self.kind
        }
        async fn send(&self, _: &Outgoing) -> Result<(), ChannelError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.result.clone()
        }
    }

    fn stub(kind: ChannelKind, result: Result<(), ChannelError>) -> Arc<Stub> {
        let asked = AtomicUsize::new(0);
        Arc::new(Stub {
            kind,
            result,
            asked,
        })
    }

    async fn send(channels: &[Arc<Stub>]) -> Outcome {
        let channels = channels.iter().cloned().map(|c| c as Arc<dyn Channel>);
        let route = Route::new(channels.collect()).expect("channels");
        route.send(&message()).await
    }

    #[tokio::test]
    async fn the_first_that_takes_it_is_the_last_that_is_asked() {
        let channels = [
            stub(
                ChannelKind::Smtp,
                Err(ChannelError::permanent("no address")),
            ),
            stub(ChannelKind::Webhook, Ok(())),
            stub(ChannelKind::Console, Ok(())),
        ];
        let outcome = send(&channels).await;
        assert_eq!(outcome.channel, ChannelKind::Webhook);
        assert_eq!(outcome.result, Ok(()));
        let asked = channels.map(|channel| channel.asked.load(Ordering::Relaxed));
        assert_eq!(asked, [1, 1, 0]);
    }

    #[tokio::test]
    async fn it_is_tried_again_if_one_channel_may_recover() {
        let gone = || ChannelError::permanent("no address");
        let passing = || ChannelError::temporary("HTTP 503");
        let both = [
            stub(ChannelKind::Webhook, Err(passing())),
            stub(ChannelKind::Smtp, Err(gone())),
        ];
        let error = send(&both).await.result.expect_err("both failed");
        assert_eq!(error, ChannelError::temporary("HTTP 503; no address"));
        let outcome = send(&[stub(ChannelKind::Smtp, Err(gone()))]).await;
        assert_eq!(outcome.result, Err(gone()));
    }

    #[test]
    fn no_channel_is_no_route() {
        assert!(Route::new(Vec::new()).is_none());
    }
}
