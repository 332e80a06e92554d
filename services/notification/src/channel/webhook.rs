//! Messages by HTTP in the JSON form of group robots, as WeCom and DingTalk
//! take them: `{"msgtype":"text","text":{"content":"…"}}`, answered by
//! `{"errcode":0}`.
//!
//! A group reads it, so it names the order and never the person: nothing of
//! the recipient goes out here.

use std::{fmt, time::Duration};

use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde::{Deserialize, Serialize};

use super::{Channel, ChannelError, ChannelKind, Outgoing, Secret, SetupError, default_timeout_ms};

/// Longest answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// `http` or `https`. A robot's URL contains its key, so it is a secret.
    pub url: Secret,
    /// From the connection to the end of the answer, in milliseconds.
    #[serde(default = "default_timeout_ms")]
    pub timeout_ms: u64,
    /// URL of an HTTP proxy. None is used unless named here, whatever the
    /// environment says.
    #[serde(default)]
    pub proxy: Option<Secret>,
}

/// A robot of a group.
pub struct Webhook {
    client: Client,
    url: Url,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.url.host_str().unwrap_or_default())
    }
}

impl Webhook {
    /// # Errors
    /// An option is not valid.
    pub fn new(options: &Options) -> Result<Self, SetupError> {
        let invalid = |option, problem: &str| SetupError::Option {
            channel: "webhook",
            option,
            problem: problem.to_owned(),
        };
        let url =
            Url::parse(options.url.reveal()).map_err(|error| invalid("url", &error.to_string()))?;
        let mut builder = service_kit::tls::https()
            .timeout(Duration::from_millis(options.timeout_ms))
            // A robot that has moved is to be configured anew: following would
            // tell its key to somebody else.
            .redirect(redirect::Policy::none());
        builder = match &options.proxy {
            None => builder.no_proxy(),
            Some(proxy) => {
                let proxy = reqwest::Proxy::all(proxy.reveal())
                    .map_err(|_| invalid("proxy", "a URL such as http://proxy:3128 is wanted"))?;
                builder.proxy(proxy)
            }
        };
        if !matches!(url.scheme(), "http" | "https") {
            let problem = format!("scheme {} is not http or https", url.scheme());
            return Err(invalid("url", &problem));
        }
        let client = builder.build().map_err(|error| SetupError::Tls {
            channel: "webhook",
            problem: chain(&error.without_url()),
        })?;
        Ok(Self { client, url })
    }
}

#[derive(Serialize)]
struct Message<'a> {
    msgtype: &'static str,
    text: Text<'a>,
}

#[derive(Serialize)]
struct Text<'a> {
    content: &'a str,
}

/// What is looked at of the answer. Its text is left aside: it could repeat
/// the message.
#[derive(Deserialize)]
struct Answer {
    errcode: i64,
}

#[async_trait::async_trait]
impl Channel for Webhook {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Webhook
    }

    async fn send(&self, message: &Outgoing) -> Result<(), ChannelError> {
        let content = format!("{}\n{}", message.subject, message.body);
        let key = format!("{}-{}", message.notification_id, message.attempt);
        let response = self
            .client
            .post(self.url.clone())
            .header("idempotency-key", key)
            .json(&Message {
                msgtype: "text",
                text: Text { content: &content },
            })
            .send()
            .await
            .map_err(unreachable)?;
        judge_status(response.status())?;
        let answer = read(response).await?;
        match serde_json::from_slice::<Answer>(&answer) {
            Ok(Answer { errcode: 0 }) => Ok(()),
            Ok(Answer { errcode }) => Err(ChannelError::temporary(format!(
                "the webhook answered errcode {errcode}"
            ))),
            Err(_) => Err(ChannelError::temporary(
                "the webhook's answer is not a robot's: JSON with an errcode is wanted",
            )),
        }
    }
}

fn judge_status(status: StatusCode) -> Result<(), ChannelError> {
    if status.is_success() {
        return Ok(());
    }
    let message = format!("the webhook answered HTTP {}", status.as_u16());
    let passing = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    Err(if passing {
        ChannelError::temporary(message)
    } else {
        ChannelError::permanent(message)
    })
}

async fn read(mut response: Response) -> Result<Vec<u8>, ChannelError> {
    let mut answer = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if answer.len() + chunk.len() > ANSWER_MAX_BYTES {
            return Err(ChannelError::temporary(format!(
                "the webhook's answer is longer than {ANSWER_MAX_BYTES} bytes"
            )));
        }
        answer.extend_from_slice(&chunk);
    }
    Ok(answer)
}

/// Names what happened without the URL.
fn unreachable(error: reqwest::Error) -> ChannelError {
    let what = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be connected to"
    } else {
        "broke off the exchange"
    };
    ChannelError::temporary(format!("the webhook {what}"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
        task::JoinHandle,
    };

    use super::{super::tests::message, *};

    /// What a request was: its head in lower case, and its body.
    type Seen = (String, String);

    /// Answers one request; none means that it hangs up without a word.
    async fn robot(answer: Option<(&'static str, String)>) -> (Webhook, JoinHandle<Seen>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            let mut stream = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                stream.read_line(&mut head).await.expect("a line");
            }
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().expect("a number"));
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.expect("a body");
            if let Some((status, text)) = answer {
                let response = format!(
                    "HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{text}",
                    text.len()
                );
                // A client that has read enough may be gone before the end.
                let _ = stream.write_all(response.as_bytes()).await;
            }
            (head, String::from_utf8(body).expect("text"))
        });
        (hook(&format!("http://{address}/send?key=k3y")), server)
    }

    fn options(url: &str) -> Options {
        Options {
            url: Secret::new(url),
            timeout_ms: 5_000,
            proxy: None,
        }
    }

    fn hook(url: &str) -> Webhook {
        Webhook::new(&options(url)).expect("a webhook")
    }

    async fn outcome(status: &'static str, answer: &str) -> Result<(), ChannelError> {
        let (webhook, server) = robot(Some((status, answer.to_owned()))).await;
        let outcome = webhook.send(&message()).await;
        server.await.expect("the robot ends");
        outcome
    }

    #[tokio::test]
    async fn a_message_goes_out_in_the_robots_form_and_names_nobody() {
        let (webhook, server) = robot(Some(("200 OK", r#"{"errcode":0}"#.into()))).await;
        webhook.send(&message()).await.expect("sent");
        let (head, body) = server.await.expect("the robot ends");
        assert!(head.starts_with("post /send?key=k3y http/1.1"), "{head}");
        assert!(head.contains("idempotency-key: n1-2\r\n"), "{head}");
        assert!(
            head.contains("content-type: application/json\r\n"),
            "{head}"
        );
        let sent: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            sent,
            serde_json::json!({
                "msgtype": "text",
                "text": {"content": "您的物品已放到门口\n订单 O1 已放到门口。\n收到后请确认。"}
            })
        );
        assert_eq!(webhook.kind(), ChannelKind::Webhook);
    }

    #[tokio::test]
    async fn another_error_code_is_tried_again() {
        assert_eq!(
            outcome("200 OK", r#"{"errcode":45009,"errmsg":"to 张三"}"#).await,
            Err(ChannelError::temporary(
                "the webhook answered errcode 45009"
            ))
        );
    }

    #[tokio::test]
    async fn a_server_in_trouble_is_tried_again_and_a_refusal_is_not() {
        for (status, permanent) in [
            ("500 Internal Server Error", false),
            ("503 Service Unavailable", false),
            ("429 Too Many Requests", false),
            ("408 Request Timeout", false),
            ("400 Bad Request", true),
            ("401 Unauthorized", true),
            ("404 Not Found", true),
            ("307 Temporary Redirect", true),
        ] {
            let error = outcome(status, "").await.expect_err(status);
            assert_eq!(error.permanent, permanent, "{status}");
            assert_eq!(
                error.message,
                format!("the webhook answered HTTP {}", &status[..3])
            );
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_robots_is_not_success() {
        for answer in ["", "ok", "{}", "<html>"] {
            let error = outcome("200 OK", answer).await.expect_err(answer);
            assert!(
                !error.permanent && error.message.contains("errcode"),
                "{error}"
            );
        }
        let endless = outcome("200 OK", &" ".repeat(ANSWER_MAX_BYTES + 1)).await;
        assert!(
            endless
                .expect_err("too long")
                .message
                .contains("longer than")
        );
    }

    #[tokio::test]
    async fn a_robot_that_cannot_be_reached_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        assert_eq!(
            hook(&format!("http://{address}/?key=k3y"))
                .send(&message())
                .await,
            Err(ChannelError::temporary(
                "the webhook cannot be connected to"
            ))
        );
        let (webhook, server) = robot(None).await;
        assert_eq!(
            webhook.send(&message()).await,
            Err(ChannelError::temporary(
                "the webhook broke off the exchange"
            ))
        );
        server.await.expect("the robot ends");
    }

    #[tokio::test]
    async fn a_robot_that_says_nothing_is_not_waited_for_forever() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let webhook = Webhook::new(&Options {
            timeout_ms: 50,
            ..options(&format!("http://{address}/"))
        });
        assert_eq!(
            webhook.expect("a webhook").send(&message()).await,
            Err(ChannelError::temporary(
                "the webhook did not answer in time"
            ))
        );
    }

    #[test]
    fn https_can_be_set_up() {
        let webhook = Webhook::new(&options("https://robot.example.org/?key=k3y"));
        let webhook = webhook.expect("ring and authorities are there");
        assert_eq!(format!("{webhook:?}"), "Webhook(robot.example.org)");
    }

    #[test]
    fn options_are_checked_before_anything_is_sent() {
        for (url, problem) in [
            ("robot", "relative URL without a base"),
            ("ftp://robot/", "scheme ftp is not http or https"),
        ] {
            let error = Webhook::new(&options(url)).expect_err(url).to_string();
            assert_eq!(
                error,
                format!("the webhook channel's url is not valid: {problem}")
            );
        }
        let read = serde_json::from_str::<Options>(r#"{"url":"http://robot/?key=k3y"}"#);
        let read = read.expect("options");
        assert_eq!(read.timeout_ms, 10_000);
        assert!(!format!("{read:?}").contains("k3y"));
        assert!(serde_json::from_str::<Options>(r#"{"url":"http://r/","retries":3}"#).is_err());
    }
}
