//! The notary's side of C2SP tlog-witness: asks the witnesses of the policy to
//! cosign a checkpoint, all at once, each with a proof from what it saw last.
//!
//! A witness that does not answer is asked again with the next checkpoint. One
//! that refuses for good says that this log was rewritten, or lost what it had
//! signed: that is an error for people.

use std::time::Duration;

use decider::Service;
use reqwest::{Client, StatusCode, redirect};
use transparency::{
    AddCheckpoint, Checkpoint, ConsistencyProof, Policy, Prover, PublicKey, Signature, TileStore,
};

/// More would be no answer of a witness.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// The witnesses that are asked for one log.
pub struct Witnesses {
    labels: Vec<(&'static str, String)>,
    asked: Vec<Asked>,
}

struct Asked {
    name: String,
    key: PublicKey,
    url: String,
    client: Client,
    /// Records that it saw of this log, as far as is known.
    seen: u64,
    /// So that a witness that is away for a day gives two lines, not 86,400.
    trouble: bool,
}

/// One call to one witness.
pub struct Call {
    witness: usize,
    body: String,
    old_size: u64,
    url: String,
    client: Client,
}

/// What came of a call.
pub struct Answer {
    witness: usize,
    old_size: u64,
    answer: Result<(StatusCode, String), reqwest::Error>,
}

impl Witnesses {
    /// Those that the policy gives a URL, but for the service's own.
    #[must_use]
    pub fn new(
        labels: &[(&'static str, String)],
        policy: Option<&Policy>,
        own: Service,
        last: Option<&Checkpoint>,
        timeout: Duration,
    ) -> Self {
        let own = super::keys::witness_name(own.name());
        let mut asked = Vec::new();
        for (name, key, url) in policy.into_iter().flat_map(Policy::witness_urls) {
            if key.label().name == own {
                continue;
            }
            // It cosigned what it saw.
            let by_it = last.filter(|last| last.signatures().iter().any(|s| key.is_named_by(s)));
            asked.push(Asked {
                name: name.to_owned(),
                key: key.clone(),
                url: format!("{}/add-checkpoint", url.trim_end_matches('/')),
                client: client(url, timeout),
                seen: by_it.map_or(0, |last| last.claimed_head().size),
                trouble: false,
            });
        }
        Self {
            labels: labels.to_vec(),
            asked,
        }
    }

    /// Calls for the cosignatures that the checkpoint still lacks; the prover
    /// stands at its tree.
    pub fn calls<S: TileStore>(&self, checkpoint: &Checkpoint, prover: &Prover<S>) -> Vec<Call> {
        let mut calls = Vec::new();
        for (witness, asked) in self.asked.iter().enumerate() {
            let mut signatures = checkpoint.signatures().iter();
            if signatures.any(|signature| asked.key.is_named_by(signature)) {
                continue;
            }
            let size = checkpoint.claimed_head().size;
            let old_size = asked.seen.min(size);
            let proof = if old_size == size {
                Ok(ConsistencyProof::default())
            } else {
                prover.consistency(old_size)
            };
            let proof = match proof {
                Ok(proof) => proof,
                Err(error) => {
                    tracing::error!(witness = asked.name, "nothing can be proven: {error}");
                    continue;
                }
            };
            let request = AddCheckpoint {
                old_size,
                proof,
                checkpoint: checkpoint.clone(),
            };
            calls.push(Call {
                witness,
                body: request.to_string(),
                old_size,
                url: asked.url.clone(),
                client: asked.client.clone(),
            });
        }
        calls
    }

    /// Adds the cosignatures that came. Gives whether a witness only wants a
    /// proof from another size.
    pub fn take(&mut self, answers: Vec<Answer>, checkpoint: &mut Checkpoint) -> bool {
        let mut again = false;
        for Answer {
            witness,
            old_size,
            answer,
        } in answers
        {
            let asked = &mut self.asked[witness];
            let size = checkpoint.claimed_head().size;
            let outcome = match answer {
                Err(error) => asked.unreachable(&chain(&error)),
                Ok((StatusCode::OK, lines)) => asked.cosigned(&lines, checkpoint),
                Ok((StatusCode::CONFLICT, body)) => match body.trim().parse::<u64>() {
                    Ok(seen) if seen != old_size && seen <= size => {
                        asked.seen = seen;
                        again = true;
                        "stale"
                    }
                    Ok(seen) if seen > size => asked.refused(&format!(
                        "it saw {seen} records of this log, and {size} are signed here: records \
                         were lost that were signed before"
                    )),
                    _ => asked.refused(&body),
                },
                Ok((StatusCode::UNPROCESSABLE_ENTITY, body)) => asked.refused(&body),
                Ok((status, body)) => asked.unreachable(&format!("{status}: {}", body.trim())),
            };
            let mut labels = self.labels.clone();
            labels.push(("witness", asked.name.clone()));
            labels.push(("outcome", outcome.to_owned()));
            metrics::counter!("baogong_cosignatures_total", &labels).increment(1);
        }
        again
    }
}

impl Asked {
    fn cosigned(&mut self, lines: &str, checkpoint: &mut Checkpoint) -> &'static str {
        let mut signatures = lines
            .lines()
            .filter_map(|line| Signature::from_bytes(line.as_bytes()).ok());
        let by_it = signatures.find(|signature| {
            self.key.is_named_by(signature)
                && self.key.signed(checkpoint.text().as_bytes(), signature)
        });
        let Some(signature) = by_it else {
            tracing::error!(
                witness = self.name,
                "its answer holds no cosignature of this checkpoint by {}: it is forged, or the \
                 policy has another key of it",
                self.key.label()
            );
            return "forged";
        };
        checkpoint.add(signature);
        self.seen = checkpoint.claimed_head().size;
        if std::mem::take(&mut self.trouble) {
            tracing::info!(witness = self.name, "it cosigns again");
        }
        "given"
    }

    fn refused(&mut self, why: &str) -> &'static str {
        tracing::error!(
            witness = self.name,
            "it does not cosign, because this log does not go on from what it saw: {}. The log \
             was rewritten, or lost records that were signed; compare it with `baogong audit`",
            why.trim()
        );
        self.trouble = true;
        "refused"
    }

    fn unreachable(&mut self, why: &str) -> &'static str {
        if !std::mem::replace(&mut self.trouble, true) {
            tracing::warn!(
                witness = self.name,
                url = self.url,
                "it does not cosign: {why}"
            );
        }
        "unreachable"
    }
}

/// Carries out calls, all at once.
pub async fn send(calls: Vec<Call>) -> Vec<Answer> {
    let calls = calls.into_iter().map(|call| async move {
        let sent = call.client.post(&call.url).body(call.body).send();
        let answer = async {
            let mut response = sent.await?;
            let mut body = Vec::new();
            while let Some(part) = response.chunk().await? {
                body.extend_from_slice(&part);
                if body.len() > ANSWER_BYTES_MAX {
                    break;
                }
            }
            Ok((
                response.status(),
                String::from_utf8_lossy(&body).into_owned(),
            ))
        };
        Answer {
            witness: call.witness,
            old_size: call.old_size,
            answer: answer.await,
        }
    });
    futures::future::join_all(calls).await
}

fn client(url: &str, timeout: Duration) -> Client {
    let mut builder = crate::tls::https()
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .user_agent(concat!("baogong/", env!("CARGO_PKG_VERSION")));
    let host = reqwest::Url::parse(url).ok();
    let host = host.as_ref().and_then(reqwest::Url::host_str);
    // A proxy of the system does not lead to this machine.
    if host.is_some_and(|host| host == "localhost" || host.starts_with("127.")) {
        builder = builder.no_proxy();
    }
    builder.build().expect("only the roots of TLS are read")
}

/// The source tells what an error of reqwest itself does not.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
