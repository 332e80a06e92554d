//! The text of a suite's policy: written line by line and edited in place, so
//! that what people added to it stays. Its grammar is `transparency`'s.

use std::{collections::BTreeMap, fmt::Write};

use anyhow::Context;
use decider::Service;
use transparency::{Origin, PublicKey};

pub const HEAD: &str = "\
# Whose checkpoints count, and who must have cosigned them: C2SP tlog-policy.
# Services, witnesses and auditors read it; `baogong keys` writes it.
";

/// Where the services' HTTP listeners are reached. `{partition}` stands for the
/// partition; witnesses are where partition 0 is.
#[derive(Debug, Clone, Default)]
pub struct Urls(BTreeMap<String, String>);

impl Urls {
    /// # Errors
    /// One does not read `<service>=<url>`.
    pub fn parse(given: &[String]) -> anyhow::Result<Self> {
        let mut urls = BTreeMap::new();
        for text in given {
            let read = text
                .split_once('=')
                .filter(|(name, _)| Service::ALL.iter().any(|s| s.name() == *name));
            let (name, url) =
                read.with_context(|| format!("--url {text}: it reads <service>=<url>"))?;
            urls.insert(name.to_owned(), url.trim_end_matches('/').to_owned());
        }
        Ok(Self(urls))
    }

    pub fn set(&mut self, service: Service, url: String) {
        self.0.insert(service.name().to_owned(), url);
    }

    fn at(&self, service: &str, partition: u32) -> Option<String> {
        let url = self.0.get(service)?;
        Some(url.replace("{partition}", &partition.to_string()))
    }

    #[must_use]
    pub fn log(&self, service: Service, partition: u32) -> Option<String> {
        self.log_of(service.name(), partition)
    }

    fn log_of(&self, service: &str, partition: u32) -> Option<String> {
        let url = self.at(service, partition)?;
        Some(format!("{url}/log/{partition}"))
    }

    #[must_use]
    pub fn witness(&self, service: Service) -> Option<String> {
        self.witness_of(service.name())
    }

    fn witness_of(&self, service: &str) -> Option<String> {
        Some(format!("{}/witness", self.at(service, 0)?))
    }
}

pub fn log(key: &PublicKey, url: Option<&str>) -> String {
    line(&format!("log {key}"), url)
}

pub fn witness(name: &str, key: &PublicKey, url: Option<&str>) -> String {
    line(&format!("witness {name} {key}"), url)
}

pub fn quorum(group: &str, needed: usize, members: &[&str]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# No service cosigns its own logs: {needed} of the others."
    );
    let _ = writeln!(text, "group {group} {needed} {}", members.join(" "));
    let _ = writeln!(text, "quorum {group}");
    text
}

fn line(statement: &str, url: Option<&str>) -> String {
    match url {
        Some(url) => format!("{statement} {url}\n"),
        None => format!("{statement}\n"),
    }
}

/// The policy with other URLs of the suite's logs and witnesses.
pub fn with_urls(text: &str, urls: &Urls) -> String {
    let mut renewed = String::new();
    for old in text.lines() {
        let words: Vec<&str> = old.split_whitespace().collect();
        let (keep, url) = match words[..] {
            ["log", key, ..] => {
                let name = key.split('+').next().unwrap_or_default();
                let origin: Option<Origin> = name.parse().ok();
                (
                    2,
                    origin.and_then(|o| urls.log_of(o.service(), o.partition())),
                )
            }
            // The suite's own: a partner may have chosen the same short name.
            ["witness", name, key, ..] if key.starts_with(&format!("baogong/{name}/witness+")) => {
                (3, urls.witness_of(name))
            }
            _ => (0, None),
        };
        match url {
            Some(url) => renewed += &line(&words[..keep].join(" "), Some(&url)),
            None => renewed += &line(old, None),
        }
    }
    renewed
}

/// The policy with a new key for a log, the old one up to `size` records.
pub fn rotated(text: &str, old: &PublicKey, new: &PublicKey, from: u64, size: u64) -> String {
    let mut renewed = with_successor(text, old, new);
    let _ = writeln!(renewed, "sizes {} {from} {size}", old.label());
    let _ = writeln!(renewed, "sizes {} {} -", new.label(), size + 1);
    renewed
}

/// The policy with a new key for a log, and the old one counting for nothing.
pub fn revoked(text: &str, old: &PublicKey, new: &PublicKey) -> String {
    let mut renewed = with_successor(text, old, new);
    let _ = writeln!(renewed, "revoked {}", old.label());
    renewed
}

/// The new key's line behind the old one's, and nothing said of the old one's
/// sizes.
fn with_successor(text: &str, old: &PublicKey, new: &PublicKey) -> String {
    let mut renewed = String::new();
    for statement in text.lines() {
        let words: Vec<&str> = statement.split_whitespace().collect();
        match words[..] {
            ["sizes", label, ..] if label == old.label().to_string() => {}
            ["log", key, ref url @ ..] if key == old.to_string() => {
                renewed += &line(statement, None);
                renewed += &log(new, url.first().copied());
            }
            _ => renewed += &line(statement, None),
        }
    }
    renewed
}

#[cfg(test)]
mod tests {
    use super::*;
    use transparency::{KeyUse, Policy, SecretKey, Validity};

    fn key(n: u8) -> PublicKey {
        let key = SecretKey::generate("baogong/order/0", KeyUse::Log, [n; 32]);
        key.expect("a key").public().clone()
    }

    fn policy(text: &str) -> Vec<(PublicKey, Validity)> {
        let policy: Policy = text.parse().unwrap_or_else(|e| panic!("{e}: {text}"));
        let log = policy.logs().next().expect("a log");
        log.keys().map(|(key, v)| (key.clone(), v)).collect()
    }

    fn sizes(from: u64, until: Option<u64>) -> Validity {
        Validity::Sizes { from, until }
    }

    #[test]
    fn keys_follow_each_other_without_a_gap() {
        let first = format!(
            "{HEAD}{}quorum none\n",
            log(&key(1), Some("http://o/log/0"))
        );
        let second = rotated(&first, &key(1), &key(2), 0, 17);
        let expected = [(key(1), sizes(0, Some(17))), (key(2), sizes(18, None))];
        assert_eq!(policy(&second), expected);
        let third = rotated(&second, &key(2), &key(3), 18, 30);
        let expected = [
            (key(1), sizes(0, Some(17))),
            (key(2), sizes(18, Some(30))),
            (key(3), sizes(31, None)),
        ];
        assert_eq!(policy(&third), expected);
        let fourth = revoked(&third, &key(3), &key(4));
        assert_eq!(policy(&fourth)[2], (key(3), Validity::Revoked));
        assert_eq!(policy(&fourth)[3], (key(4), Validity::ALWAYS));
    }

    #[test]
    fn urls_change_and_nothing_else() {
        let urls = |port: u16| {
            let url = format!("order=http://127.0.0.1:{port}/");
            Urls::parse(&[url]).expect("urls")
        };
        let cosigner = |name| {
            let key = SecretKey::generate(name, KeyUse::Cosigner, [7; 32]);
            key.expect("a key").public().clone()
        };
        let own = cosigner("baogong/order/witness");
        let text = format!(
            "{HEAD}{}{}# ours\nquorum none\n",
            log(&key(1), urls(1).log(Service::Order, 0).as_deref()),
            witness("order", &own, urls(1).witness(Service::Order).as_deref()),
        );
        let renewed = with_urls(&text, &urls(2));
        assert_eq!(renewed, text.replace("127.0.0.1:1/", "127.0.0.1:2/"));
        assert!(renewed.contains("http://127.0.0.1:2/log/0\n"), "{renewed}");
        assert_eq!(with_urls(&text, &Urls::default()), text);
        let partner = witness("order", &cosigner("partner.example"), Some("http://p"));
        assert_eq!(with_urls(&partner, &urls(2)), partner);
    }

    #[test]
    fn urls_name_a_service() {
        for wrong in ["orders=http://x", "http://x"] {
            assert!(Urls::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
