//! Where the issuer's keys and the revocations come from, and how they are
//! kept fresh. What was good last stays in force when a newer one is not.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use access::{JwksError, KeySet, RevocationError, Revocations};
use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use super::{AccessOptions, discovery::Discovery};
use crate::durable_file::{Mark, mark};

const FETCH_MAX: Duration = Duration::from_secs(5);
/// As much as a key set may have, and a little more, so that one that is too
/// long is said to be so.
const BYTES_MAX: usize = 512 * 1024;
/// How often the revocations are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{path} cannot be read")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{url} cannot be fetched: {why}")]
    Url { url: String, why: String },
    #[error("{url} is no issuer's configuration: {why}")]
    Discovery { url: String, why: String },
    #[error("{place}: {source}")]
    Keys { place: String, source: JwksError },
    #[error("{path}: {source}")]
    Revocations {
        path: PathBuf,
        source: RevocationError,
    },
}

enum Place {
    File(PathBuf),
    Url(String, reqwest::Client),
    /// Where the issuer says, asked for each time.
    Issuer(Discovery, reqwest::Client),
}

/// The issuer's public keys.
pub(super) struct Keys {
    place: Place,
    current: RwLock<Option<Arc<KeySet>>>,
    /// When it was tried last; held while it is, so that it is tried once at
    /// a time.
    tried: tokio::sync::Mutex<Instant>,
    refetch_min: Duration,
}

impl Keys {
    /// # Errors
    /// A file cannot be used. An address may be away: calls are refused until
    /// it answers.
    pub(super) async fn open(options: &AccessOptions) -> Result<Self, SourceError> {
        let refetch_min = Duration::from_secs(options.jwks_refetch_min_secs);
        let (url, issuer) = (&options.jwks_url, &options.issuer);
        let place = if !options.jwks_file.as_os_str().is_empty() {
            Place::File(options.jwks_file.clone())
        } else if url.is_empty() {
            Place::Issuer(Discovery::new(issuer), client(issuer)?)
        } else {
            Place::Url(url.to_owned(), client(url)?)
        };
        let keys = Self {
            place,
            current: RwLock::new(None),
            tried: tokio::sync::Mutex::new(Instant::now()),
            refetch_min,
        };
        match (keys.read().await, &keys.place) {
            (Ok(set), _) => *keys.current.write() = Some(Arc::new(set)),
            (Err(error), Place::File(_)) => return Err(error),
            (Err(error), Place::Url(..) | Place::Issuer(..)) => tracing::error!(
                "the issuer's keys are not there yet, and calls are refused until they are: {error}"
            ),
        }
        Ok(keys)
    }

    /// The keys, fetched again where they have not the one that a token names
    /// and were not fetched just now. `None`: they were never there.
    pub(super) async fn with(&self, id: Option<&str>) -> Option<Arc<KeySet>> {
        let has = |set: &Option<Arc<KeySet>>| set.as_ref().is_some_and(|set| set.has(id));
        let now = self.current.read().clone();
        if has(&now) {
            return now;
        }
        let mut tried = self.tried.lock().await;
        let now = self.current.read().clone();
        if has(&now) || tried.elapsed() < self.refetch_min {
            return now;
        }
        self.renew(&mut tried).await;
        self.current.read().clone()
    }

    /// As they are, without asking for others.
    pub(super) fn now(&self) -> Option<Arc<KeySet>> {
        self.current.read().clone()
    }

    /// Fetches them again.
    pub(super) async fn refresh(&self) {
        let mut tried = self.tried.lock().await;
        self.renew(&mut tried).await;
    }

    async fn renew(&self, tried: &mut Instant) {
        let read = self.read().await;
        *tried = Instant::now();
        match read {
            Ok(set) => *self.current.write() = Some(Arc::new(set)),
            Err(error) => {
                tracing::error!("the issuer's keys stay as they were: {error}");
            }
        }
    }

    async fn read(&self) -> Result<KeySet, SourceError> {
        let (place, bytes) = match &self.place {
            Place::File(path) => {
                let bytes = fs::read(path).map_err(|source| SourceError::File {
                    path: path.clone(),
                    source,
                })?;
                (path.display().to_string(), bytes)
            }
            Place::Url(url, client) => (url.clone(), fetch(client, url).await?),
            Place::Issuer(discovery, client) => {
                let told = fetch(client, discovery.url()).await?;
                let url = discovery.jwks_uri(&told)?;
                let bytes = fetch(client, &url).await?;
                (url, bytes)
            }
        };
        KeySet::parse(&bytes).map_err(|source| SourceError::Keys { place, source })
    }
}

fn client(url: &str) -> Result<reqwest::Client, SourceError> {
    crate::tls::https()
        .timeout(FETCH_MAX)
        // Elsewhere it could be plain HTTP.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| SourceError::Url {
            url: url.to_owned(),
            why: error.to_string(),
        })
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, SourceError> {
    let failed = |why: String| SourceError::Url {
        url: url.to_owned(),
        why,
    };
    let answer = client.get(url).send().await;
    let mut answer = answer.map_err(|error| failed(error.without_url().to_string()))?;
    if !answer.status().is_success() {
        return Err(failed(format!("it answers {}", answer.status())));
    }
    let mut bytes = Vec::new();
    while let Some(part) = answer
        .chunk()
        .await
        .map_err(|error| failed(error.without_url().to_string()))?
    {
        bytes.extend_from_slice(&part);
        if bytes.len() > BYTES_MAX {
            return Err(failed(format!("it sends more than {BYTES_MAX} bytes")));
        }
    }
    Ok(bytes)
}

/// The list of revoked tokens, from its file.
pub(super) struct RevocationFile {
    path: PathBuf,
    current: RwLock<Arc<Revocations>>,
    looked: Mutex<(Instant, Mark)>,
}

impl RevocationFile {
    /// # Errors
    /// The file is not there or has a line that is none.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let (mark, revocations) = if path.as_os_str().is_empty() {
            ((None, 0), Revocations::default())
        } else {
            (mark(path), read(path)?)
        };
        Ok(Self {
            path: path.to_owned(),
            current: RwLock::new(Arc::new(revocations)),
            looked: Mutex::new((Instant::now(), mark)),
        })
    }

    pub(super) fn current(&self) -> Arc<Revocations> {
        self.look_again();
        Arc::clone(&self.current.read())
    }

    fn look_again(&self) {
        if self.path.as_os_str().is_empty() {
            return;
        }
        let mut looked = self.looked.lock();
        if looked.0.elapsed() < LOOK_EVERY {
            return;
        }
        looked.0 = Instant::now();
        let mark = mark(&self.path);
        if mark == looked.1 {
            return;
        }
        match read(&self.path) {
            Ok(revocations) => {
                tracing::info!(count = revocations.count(), "revocations were read again");
                *self.current.write() = Arc::new(revocations);
                looked.1 = mark;
            }
            // Looked at again the next time, so that this goes on being said.
            Err(error) => tracing::error!("the revocations stay as they were: {error}"),
        }
    }
}

fn read(path: &Path) -> Result<Revocations, SourceError> {
    let text = fs::read_to_string(path).map_err(|source| SourceError::File {
        path: path.to_owned(),
        source,
    })?;
    Revocations::parse(&text).map_err(|source| SourceError::Revocations {
        path: path.to_owned(),
        source,
    })
}
