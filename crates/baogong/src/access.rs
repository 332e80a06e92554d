//! A laptop's own issuer of tokens: what `baogong up` makes below its data
//! folder, and the tokens that the suite's own programs present. In production
//! an OIDC issuer takes its place (docs/ACCESS.md).

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use access::{Grant, Issuer, TokenOrder};
use anyhow::Context;
use decider::{Area, Role};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use service_kit::{
    access::{AccessMode, AccessOptions, now_secs, secret},
    durable_file,
    peers::bearer,
};
use tonic::{Request, Status, service::Interceptor};
use ulid::Ulid;

/// `iss` of a laptop's tokens.
pub const ISSUER: &str = "baogong-laptop";
/// `aud` of the suite's tokens.
pub const AUDIENCE: &str = "baogong";
/// Folder below the data folder.
const FOLDER: &str = "access";
/// Of the token with which the services read each other's logs, and audits
/// read them; it is replaced in time while the suite is up.
const READER_TTL: Duration = Duration::from_secs(24 * 3_600);
const READER_RENEWED_EVERY: Duration = Duration::from_secs(3_600);
/// Of the tokens that a scenario makes for its people.
const PLAYED_TTL_SECS: u64 = 600;
const PLAYED_MARGIN_SECS: u64 = 120;

/// What `suite.json` says of tokens: where they come from, and never one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessFile {
    pub issuer: String,
    pub audience: String,
    /// The issuer's secret key.
    pub key_file: PathBuf,
    pub jwks_file: PathBuf,
    pub revocations_file: PathBuf,
    /// A token to read all logs with.
    pub token_file: PathBuf,
}

impl AccessFile {
    /// Makes what is missing below a data folder.
    ///
    /// # Errors
    /// The disk fails, or the key can be read by others.
    pub fn create(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join(FOLDER);
        let file = Self {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            key_file: folder.join("issuer.key"),
            jwks_file: folder.join("jwks.json"),
            revocations_file: folder.join("revoked"),
            token_file: folder.join("reader.token"),
        };
        let issuer = secret::issuer(&file.key_file, true)?;
        durable_file::replace(&file.jwks_file, format!("{}\n", issuer.jwks()).as_bytes())?;
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file.revocations_file)
            .with_context(|| format!("{} cannot be made", file.revocations_file.display()))?;
        file.renew_reader(&issuer)?;
        Ok(file)
    }

    /// How the services are to ask for tokens.
    #[must_use]
    pub fn options(&self) -> AccessOptions {
        AccessOptions {
            mode: AccessMode::Tokens,
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            jwks_file: self.jwks_file.clone(),
            revocations_file: self.revocations_file.clone(),
            peer_token_file: self.token_file.clone(),
            ..AccessOptions::default()
        }
    }

    fn renew_reader(&self, issuer: &Issuer) -> anyhow::Result<()> {
        let grant = Grant {
            roles: vec![Role::Auditor.name().to_owned()],
            areas: vec!["*".to_owned()],
            ..Grant::default()
        };
        let token = self.issue(issuer, "suite-reader", grant, READER_TTL.as_secs());
        let text = format!("{token}\n");
        durable_file::replace_secret(&self.token_file, text.as_bytes())
            .with_context(|| format!("{} cannot be written", self.token_file.display()))
    }

    /// Replaces the reader's token in time; ends only when it cannot.
    pub async fn keep_reader(&self) -> anyhow::Error {
        loop {
            tokio::time::sleep(READER_RENEWED_EVERY).await;
            let issuer = secret::issuer(&self.key_file, false);
            let renewed = issuer.map_err(anyhow::Error::from);
            if let Err(error) = renewed.and_then(|issuer| self.renew_reader(&issuer)) {
                return error.context("the token with which logs are read cannot be renewed");
            }
        }
    }

    /// A token from now on.
    #[must_use]
    pub fn issue(&self, issuer: &Issuer, subject: &str, grant: Grant, ttl_secs: u64) -> String {
        issuer.issue(&TokenOrder {
            issuer: &self.issuer,
            audience: &self.audience,
            subject,
            token_id: &token_id(),
            now_secs: now_secs(),
            ttl_secs,
            grant,
        })
    }
}

impl AccessFile {
    /// A token of a partner firm in one area.
    ///
    /// # Errors
    /// The issuer's key cannot be read.
    pub fn issue_to_firm(
        &self,
        carrier: &str,
        area: &Area,
        ttl: Duration,
    ) -> anyhow::Result<String> {
        let issuer = secret::issuer(&self.key_file, false)?;
        let grant = Grant {
            roles: vec![Role::Carrier.name().to_owned()],
            areas: vec![area.to_string()],
            carrier: Some(carrier.to_owned()),
            ..Grant::default()
        };
        Ok(self.issue(&issuer, carrier, grant, ttl.as_secs()))
    }
}

/// A new `jti`.
#[must_use]
pub fn token_id() -> String {
    Ulid::from_parts(now_secs() * 1_000, rand::random()).to_string()
}

/// Presents a token on each call, of the role and the person that the call's
/// metadata name; an operator's where they name nobody. Without an issuer none
/// is sent.
#[derive(Clone, Default)]
pub struct Credentials(Option<Arc<Played>>);

/// The people of a scenario with their tokens.
struct Played {
    file: AccessFile,
    issuer: Issuer,
    /// By role and person: until when it counts, and the token.
    tokens: Mutex<HashMap<(Role, String), (u64, String)>>,
}

impl Credentials {
    /// # Errors
    /// The suite asks for tokens, and its issuer's key cannot be read.
    pub fn of(file: Option<&AccessFile>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Ok(Self(None));
        };
        Ok(Self(Some(Arc::new(Played {
            issuer: secret::issuer(&file.key_file, false)?,
            file: file.clone(),
            tokens: Mutex::default(),
        }))))
    }
}

impl Played {
    fn token(&self, role: Role, id: &str) -> String {
        let mut tokens = self.tokens.lock();
        let now = now_secs();
        if let Some((until, token)) = tokens.get(&(role, id.to_owned()))
            && *until > now + PLAYED_MARGIN_SECS
        {
            return token.clone();
        }
        let grant = Grant {
            roles: vec![role.name().to_owned()],
            areas: vec!["*".to_owned()],
            carrier: (role == Role::Carrier).then(|| id.to_owned()),
            household: (role == Role::Resident).then(|| id.to_owned()),
            id: None,
        };
        let token = self.file.issue(&self.issuer, id, grant, PLAYED_TTL_SECS);
        let until = now + PLAYED_TTL_SECS;
        tokens.insert((role, id.to_owned()), (until, token.clone()));
        token
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let Some(played) = &self.0 else {
            return Ok(request);
        };
        let said = |name| {
            let value = request.metadata().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let role = said("baogong-role").and_then(|name| Role::parse(&name));
        let id = said("baogong-actor").unwrap_or_else(|| "operator".to_owned());
        let token = played.token(role.unwrap_or(Role::Operator), &id);
        let value = bearer(&token).ok_or_else(|| Status::internal("a token is ASCII"))?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}
