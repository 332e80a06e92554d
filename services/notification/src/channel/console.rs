//! A channel for the laptop: one line on a screen, or in a file, for each
//! message. It reaches nobody, so it is for trying things out.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{Channel, ChannelError, ChannelKind, Outgoing, SetupError, mask_phone};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Lines are added to this file; without one they go to the standard
    /// output.
    pub file: Option<PathBuf>,
}

/// Writes to a screen, a file or a test's buffer.
pub struct Console {
    writer: Mutex<Box<dyn Write + Send>>,
}

impl Console {
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Mutex::new(Box::new(writer)),
        }
    }

    #[must_use]
    pub fn stdout() -> Self {
        Self::new(io::stdout())
    }

    /// # Errors
    /// The file cannot be opened.
    pub fn open(options: &Options) -> Result<Self, SetupError> {
        let Some(path) = &options.file else {
            return Ok(Self::stdout());
        };
        let opened = OpenOptions::new().create(true).append(true).open(path);
        opened.map(Self::new).map_err(|error| SetupError::Option {
            channel: "console",
            option: "file",
            problem: format!("{}: {error}", path.display()),
        })
    }
}

#[async_trait::async_trait]
impl Channel for Console {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Console
    }

    async fn send(&self, message: &Outgoing) -> Result<(), ChannelError> {
        let line = line(message);
        // A writer that panicked before may still be good for this line.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer
            .write_all(line.as_bytes())
            .and_then(|()| writer.flush())
            .map_err(|error| {
                ChannelError::temporary(format!("cannot write to the console: {}", error.kind()))
            })
    }
}

fn line(message: &Outgoing) -> String {
    let text = format!(
        "{} #{} to {} [{}] {}: {}",
        message.notification_id,
        message.attempt,
        mask_phone(&message.to.phone),
        message.language.tag(),
        message.subject,
        message.body
    );
    // One message, one line, whatever it contains.
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    words.join(" ") + "\n"
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::tests::message, *};

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_message_is_one_line_with_the_phone_masked() {
        let screen = Screen::default();
        let console = Console::new(screen.clone());
        console.send(&message()).await.expect("written");
        let shown = String::from_utf8(screen.0.lock().expect("not poisoned").clone());
        assert_eq!(
            shown.expect("text"),
            "N1 #2 to 138****1234 [zh] 您的物品已放到门口: 订单 O1 已放到门口。 收到后请确认。\n"
        );
        assert_eq!(console.kind(), ChannelKind::Console);
    }

    #[tokio::test]
    async fn a_console_that_is_gone_may_come_back() {
        let error = Console::new(Closed).send(&message()).await;
        assert_eq!(
            error,
            Err(ChannelError::temporary(
                "cannot write to the console: broken pipe"
            ))
        );
    }

    #[tokio::test]
    async fn lines_are_added_to_a_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("messages.txt");
        let file = Some(path.clone());
        for _ in 0..2 {
            let console = Console::open(&Options { file: file.clone() }).expect("opened");
            console.send(&message()).await.expect("written");
        }
        let written = std::fs::read_to_string(&path).expect("a file");
        assert_eq!(written.lines().count(), 2);

        let file = Some(directory.path().join("none").join("messages.txt"));
        let error = Console::open(&Options { file }).err().expect("no folder");
        assert!(error.to_string().contains("messages.txt"), "{error}");
    }

    #[test]
    fn options_refuse_what_they_do_not_know() {
        let nothing = serde_json::from_str::<Options>("{}");
        assert_eq!(nothing.ok(), Some(Options::default()));
        assert!(serde_json::from_str::<Options>(r#"{"colour":true}"#).is_err());
    }
}
