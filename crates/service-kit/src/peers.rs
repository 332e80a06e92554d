//! How this service calls others of the suite: over TLS where their address
//! says so, with the token that it was given for that.

use std::{fs, path::PathBuf};

use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use crate::{
    access::AccessOptions,
    tls::{TlsError, TlsOptions},
};

/// A channel whose calls carry a token.
pub type PeerChannel = InterceptedService<Channel, BearerFile>;

/// What is needed to call others.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    tls: TlsOptions,
    token: BearerFile,
}

impl Peers {
    #[must_use]
    pub fn new(tls: &TlsOptions, access: &AccessOptions) -> Self {
        Self {
            tls: tls.clone(),
            token: BearerFile(access.peer_token_file.clone()),
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

/// Puts the token in a file on each call. The file is read each time, so that a
/// token that was replaced in time is never presented; with an empty path, none
/// is sent.
#[derive(Debug, Clone, Default)]
pub struct BearerFile(pub PathBuf);

impl Interceptor for BearerFile {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if self.0.as_os_str().is_empty() {
            return Ok(request);
        }
        let token = fs::read_to_string(&self.0).map_err(|error| {
            let path = self.0.display();
            Status::unavailable(format!("the token in {path} cannot be read: {error}"))
        })?;
        let value = bearer(token.trim()).ok_or_else(|| {
            let path = self.0.display();
            Status::unavailable(format!("there is no token in {path}"))
        })?;
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
