//! Messages by e-mail, over SMTP (RFC 5321), with TLS from the first byte,
//! with STARTTLS (RFC 3207), or without for a relay on the same machine.

use std::{fmt, time::Duration};

use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{Error as SmtpError, authentication},
};
use serde::{Deserialize, Serialize};

use super::{Channel, ChannelError, ChannelKind, Outgoing, Secret, SetupError, default_timeout_ms};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub host: String,
    /// Without one: 465 for `tls`, 587 for `starttls`, 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub tls: TlsMode,
    /// Sender, for example `Zhichaka community <supply@example.org>`.
    pub from: String,
    #[serde(default)]
    pub credentials: Option<Credentials>,
    /// For the whole exchange, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// In clear: only for a relay on the same machine.
    None,
    /// Begins in clear and goes on with TLS, or not at all.
    #[default]
    StartTls,
    /// TLS from the first byte.
    Tls,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub user: String,
    pub password: Secret,
}

/// A mail relay.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    timeout: Duration,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp(from {})", self.from.email.domain())
    }
}

impl Smtp {
    /// # Errors
    /// An option is not valid.
    pub fn new(options: &Options) -> Result<Self, SetupError> {
        service_kit::tls::use_ring();
        let invalid = |option, problem: String| SetupError::Option {
            channel: "smtp",
            option,
            problem,
        };
        let from = options
            .from
            .parse()
            .map_err(|error| invalid("from", format!("{error}")))?;
        let host = options.host.as_str();
        let timeout = Duration::from_millis(options.timeout_ms);
        let mut builder = match options.tls {
            TlsMode::None => Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(
                host,
            )),
            TlsMode::StartTls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host),
            TlsMode::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(host),
        }
        .map_err(|error| invalid("host", error.to_string()))?
        .timeout(Some(timeout));
        if let Some(port) = options.port {
            builder = builder.port(port);
        }
        if let Some(Credentials { user, password }) = &options.credentials {
            builder = builder.credentials(authentication::Credentials::new(
                user.clone(),
                password.reveal().to_owned(),
            ));
        }
        Ok(Self {
            transport: builder.build(),
            from,
            timeout,
        })
    }

    fn compose(&self, message: &Outgoing) -> Result<Message, ChannelError> {
        if message.to.email.is_empty() {
            return Err(ChannelError::permanent(
                "the household has no e-mail address",
            ));
        }
        let address: Address = message.to.email.parse().map_err(|_| {
            ChannelError::permanent("the household's e-mail address is not an address")
        })?;
        let name = (!message.to.name.is_empty()).then(|| message.to.name.clone());
        // The same for every attempt, so that who gets two shows one.
        let id = format!("<{}@{}>", message.notification_id, self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name, address))
            .subject(&message.subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(message.body.clone())
            .map_err(|_| ChannelError::permanent("the message cannot be made an e-mail"))
    }
}

#[async_trait::async_trait]
impl Channel for Smtp {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Smtp
    }

    async fn send(&self, message: &Outgoing) -> Result<(), ChannelError> {
        let mail = self.compose(message)?;
        // The transport's own time-out covers the connecting only.
        match tokio::time::timeout(self.timeout, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(ChannelError::temporary(
                "the mail server did not answer in time",
            )),
        }
    }
}

/// Names the code and not the text, which often repeats the address.
fn refused(error: &SmtpError) -> ChannelError {
    if let Some(code) = error.status() {
        return ChannelError {
            message: format!("the mail server answered {code}"),
            permanent: error.is_permanent(),
        };
    }
    let what = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_tls() {
        "could not be verified or does not speak TLS"
    } else if error.is_response() {
        "does not answer as SMTP has it"
    } else if error.is_client() {
        "does not offer what the configuration asks for (TLS or a way to log in)"
    } else {
        "cannot be connected to, or hung up"
    };
    ChannelError::temporary(format!("the mail server {what}"))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::{super::tests::message, *};

    /// Speaks as much SMTP as one message takes; `refuse` names a command and
    /// the answer that it gets instead. Ends with the lines that it was told.
    async fn relay(refuse: Option<(&'static str, &'static str)>) -> (u16, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream = BufReader::new(stream);
            let mut told = Vec::new();
            let mut in_data = false;
            let mut answer = "220 ready";
            loop {
                if !answer.is_empty() {
                    let line = format!("{answer}\r\n");
                    if stream.write_all(line.as_bytes()).await.is_err() {
                        return told;
                    }
                }
                let mut line = String::new();
                match stream.read_line(&mut line).await {
                    Ok(0) | Err(_) => return told,
                    Ok(_) => {}
                }
                let line = line.trim_end().to_owned();
                let command = line.split([' ', ':']).next().unwrap_or_default();
                answer = match (command, refuse) {
                    _ if in_data && line == "." => {
                        in_data = false;
                        "250 taken"
                    }
                    _ if in_data => "",
                    (_, Some((refused, code))) if command == refused => code,
                    ("EHLO", _) => "250-relay\r\n250-8BITMIME\r\n250 AUTH PLAIN",
                    ("DATA", _) => {
                        in_data = true;
                        "354 go on"
                    }
                    ("AUTH", _) => "235 welcome",
                    ("QUIT", _) => "221 bye",
                    _ => "250 ok",
                };
                told.push(line);
            }
        });
        (port, server)
    }

    fn options(port: u16, tls: TlsMode) -> Options {
        Options {
            host: "127.0.0.1".into(),
            port: Some(port),
            tls,
            from: "Supply <supply@example.org>".into(),
            credentials: None,
            timeout_ms: 5_000,
        }
    }

    async fn outcome(command: &'static str, answer: &'static str) -> Result<(), ChannelError> {
        let (port, server) = relay(Some((command, answer))).await;
        let smtp = Smtp::new(&options(port, TlsMode::None)).expect("options");
        let outcome = smtp.send(&message()).await;
        drop(smtp);
        server.await.expect("the relay ends");
        outcome
    }

    #[tokio::test]
    async fn a_message_goes_out_as_an_e_mail() {
        let (port, server) = relay(None).await;
        let smtp = Smtp::new(&Options {
            credentials: Some(Credentials {
                user: "u".into(),
                password: Secret::new("p"),
            }),
            ..options(port, TlsMode::None)
        })
        .expect("options");
        smtp.send(&message()).await.expect("sent");
        assert_eq!(smtp.kind(), ChannelKind::Smtp);
        drop(smtp);
        let told = server.await.expect("the relay ends");
        for line in [
            "AUTH PLAIN AHUAcA==",
            "RCPT TO:<zhang@example.org>",
            "Message-ID: <N1@example.org>",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(told.iter().any(|t| t == line), "{line} in {told:#?}");
        }
        let starts = |prefix: &str| told.iter().any(|t| t.starts_with(prefix));
        assert!(starts("MAIL FROM:<supply@example.org>"), "{told:#?}");
        assert!(starts("Subject: =?utf-8?"), "{told:#?}");
        assert!(starts("Date: "), "{told:#?}");
    }

    #[tokio::test]
    async fn a_passing_refusal_is_tried_again_and_a_lasting_one_is_not() {
        assert_eq!(
            outcome("RCPT", "451 later, zhang@example.org").await,
            Err(ChannelError::temporary("the mail server answered 451"))
        );
        assert_eq!(
            outcome("RCPT", "550 no zhang@example.org here").await,
            Err(ChannelError::permanent("the mail server answered 550"))
        );
        assert_eq!(
            outcome("DATA", "552 too much").await,
            Err(ChannelError::permanent("the mail server answered 552"))
        );
    }

    #[tokio::test]
    async fn without_an_address_there_is_no_use_in_trying() {
        let smtp = Smtp::new(&options(1, TlsMode::None)).expect("options");
        for (email, problem) in [
            ("", "the household has no e-mail address"),
            ("zhang", "the household's e-mail address is not an address"),
        ] {
            let mut message = message();
            message.to.email = email.into();
            assert_eq!(
                smtp.send(&message).await,
                Err(ChannelError::permanent(problem))
            );
        }
    }

    #[tokio::test]
    async fn nothing_is_said_in_clear_where_tls_is_asked_for() {
        for mode in [TlsMode::StartTls, TlsMode::Tls] {
            let (port, server) = relay(None).await;
            let smtp = Smtp::new(&Options {
                timeout_ms: 500,
                ..options(port, mode)
            });
            let error = smtp.expect("options").send(&message()).await;
            assert!(!error.expect_err("no TLS there").permanent, "{mode:?}");
            let told = server.await.expect("the relay ends");
            let secret = |line: &&String| line.starts_with("MAIL") || line.contains("zhang");
            assert_eq!(told.iter().find(secret), None, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn a_relay_that_is_silent_or_not_there_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let patient = Options {
            timeout_ms: 50,
            ..options(port, TlsMode::None)
        };
        let smtp = Smtp::new(&patient).expect("options");
        let silent = "the mail server did not answer in time";
        assert_eq!(
            smtp.send(&message()).await,
            Err(ChannelError::temporary(silent))
        );
        drop(listener);
        let gone = Smtp::new(&options(port, TlsMode::None)).expect("options");
        let message = gone.send(&message()).await.expect_err("nobody there");
        assert!(
            !message.permanent && message.message.contains("connected"),
            "{message}"
        );
    }

    #[test]
    fn options_are_read_with_defaults_and_checked() {
        let read = serde_json::from_str::<Options>(r#"{"host":"mail","from":"a@example.org"}"#);
        let read = read.expect("options");
        assert_eq!(
            (read.tls, read.port, read.timeout_ms),
            (TlsMode::StartTls, None, 10_000)
        );
        let wrong = r#"{"host":"mail","from":"a@example.org","tls":"maybe"}"#;
        assert!(serde_json::from_str::<Options>(wrong).is_err());
        let unknown = r#"{"host":"mail","from":"a@example.org","retries":1}"#;
        assert!(serde_json::from_str::<Options>(unknown).is_err());
        let nobody = Options {
            from: "nobody".into(),
            ..read
        };
        let error = Smtp::new(&nobody).expect_err("no address").to_string();
        assert!(
            error.starts_with("the smtp channel's from is not valid"),
            "{error}"
        );
    }
}
