//! JetStream's API in NATS's own text protocol: makes streams with holes, which
//! our own code can not.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use event_log::EventLog;
use serde_json::{Value, json};

use crate::support::{Site, bytes_of, order};

struct Raw {
    reader: BufReader<TcpStream>,
}

impl Raw {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("a server");
        let mut raw = Self {
            reader: BufReader::new(stream),
        };
        raw.send(b"CONNECT {\"verbose\":false}\r\nSUB answer 1\r\n");
        raw
    }

    fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("written");
    }

    fn request(&mut self, subject: &str, payload: &[u8]) -> Value {
        self.send(format!("PUB {subject} answer {}\r\n", payload.len()).as_bytes());
        self.send(payload);
        self.send(b"\r\n");
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).expect("a line");
            if line.starts_with("PING") {
                self.send(b"PONG\r\n");
            } else if line.starts_with("MSG") {
                let length: usize = line
                    .split_whitespace()
                    .next_back()
                    .and_then(|text| text.parse().ok())
                    .expect("a length");
                let mut answer = vec![0; length + 2];
                self.reader.read_exact(&mut answer).expect("a message");
                let answer: Value = serde_json::from_slice(&answer).expect("JSON");
                assert!(answer["error"].is_null(), "{subject}: {answer}");
                return answer;
            }
        }
    }
}

/// Publishes a log to a stream that is set as it must be, and takes messages
/// out before it is.
pub fn publish_with_hole(site: &Site, log: &dyn EventLog, missing: impl Iterator<Item = u64>) {
    let name = order().to_string();
    let config = |deny: bool| {
        json!({
            "name": name, "subjects": [order().subjects()], "storage": "file",
            "retention": "limits", "discard": "new", "max_msgs": -1, "max_bytes": -1,
            "max_age": 0, "max_msgs_per_subject": -1, "max_msg_size": -1,
            "max_consumers": -1, "num_replicas": 1, "deny_delete": deny, "deny_purge": true,
        })
        .to_string()
    };
    let mut raw = Raw::connect(site.server.port());
    let api = |what: &str| format!("$JS.API.STREAM.{what}.{name}");
    raw.request(&api("CREATE"), config(false).as_bytes());
    let subject = bus::subject("order", 0, "632725100", "OrderReady");
    for bytes in bytes_of(log) {
        raw.request(&subject, &bytes);
    }
    for sequence in missing {
        let text = json!({ "seq": sequence }).to_string();
        raw.request(&api("MSG.DELETE"), text.as_bytes());
    }
    raw.request(&api("UPDATE"), config(true).as_bytes());
}
