//! With what a robot shows who it is.

use anyhow::Context;
use service_kit::peers::bearer;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::Interceptor,
};

use crate::access::Credentials;

/// With what a robot shows who it is.
#[derive(Clone)]
pub enum Key {
    /// To a suite that asks for none.
    None,
    /// A token of the firm.
    Token(MetadataValue<Ascii>),
    /// The issuer of a laptop's suite makes one for the firm.
    Issuer(Credentials),
}

impl Key {
    /// # Errors
    /// It has characters that no token has.
    pub fn token(text: &str) -> anyhow::Result<Self> {
        let value = bearer(text.trim()).context("a token has letters, digits and -_. only")?;
        Ok(Self::Token(value))
    }
}

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        match self {
            Self::None => Ok(request),
            Self::Token(value) => {
                request
                    .metadata_mut()
                    .insert("authorization", value.clone());
                Ok(request)
            }
            Self::Issuer(credentials) => credentials.call(request),
        }
    }
}
