//! How this service calls others of the suite: over TLS where their address
//! says so, with the token that it was given for that. What a command takes to
//! do the same is in [`client`].

pub mod client;

use std::{fs, path::PathBuf};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{
    access::AccessOptions,
    config::Hidden,
    tls::{TlsError, TlsOptions},
};

/// A channel whose calls carry a token.
pub type PeerChannel = InterceptedService<Channel, Bearer>;

/// What is needed to call others.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    tls: TlsOptions,
    token: Bearer,
}

impl Peers {
    #[must_use]
    pub fn new(tls: &TlsOptions, access: &AccessOptions) -> Self {
        Self {
            tls: tls.clone(),
            token: Bearer::File(access.peer_token_file.clone()),
        }
    }

    /// A channel that connects when it is first used.
    ///
    /// # Errors
    /// A file that TLS needs cannot be used.
    pub fn channel(&self, endpoint: Endpoint) -> Result<PeerChannel, TlsError> {
        let channel = self.tls.toward(endpoint)?.connect_lazy();
        Ok(InterceptedService::new(channel, self.token.clone()))
    }
}

/// The token that goes with each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bearer {
    /// In a file, which is read each time, so that a token that was replaced in
    /// time is never presented; with an empty path, none is sent.
    File(PathBuf),
    Token(Hidden),
}

impl Default for Bearer {
    fn default() -> Self {
        Self::File(PathBuf::new())
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = match self {
            Self::File(path) if path.as_os_str().is_empty() => return Ok(request),
            Self::File(path) => {
                let shown = path.display();
                let token = fs::read_to_string(&*path).map_err(|error| {
                    Status::unavailable(format!("the token in {shown} cannot be read: {error}"))
                })?;
                bearer(token.trim())
                    .ok_or_else(|| Status::unavailable(format!("there is no token in {shown}")))?
            }
            Self::Token(token) => bearer(token.reveal().trim())
                .ok_or_else(|| Status::unavailable("what was given as a token is none"))?,
        };
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

/// The value of `authorization` for a token; `None` where it is none.
#[must_use]
pub fn bearer(token: &str) -> Option<MetadataValue<Ascii>> {
    let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().ok()?;
    // Not to be shown, and not to be kept in HTTP/2's tables.
    value.set_sensitive(true);
    (!token.is_empty()).then_some(value)
}
