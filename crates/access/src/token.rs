//! A token as it came, and its check. The order matters: nothing that it says
//! is believed before its signature is.

use jsonwebtoken::{
    Algorithm, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header,
};

use crate::{Caller, KeySet, Refusal, Revocations, claims::Claims, crypto};

/// Longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Whom tokens are taken from, and for whom they must be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// `iss`, compared as text.
    pub issuer: String,
    /// Must be among the token's `aud`.
    pub audience: String,
    /// Allowed for clocks that differ.
    pub leeway_secs: u64,
}

/// A token with a form, of which nothing is known yet.
#[derive(Debug, Clone)]
pub struct Presented<'a> {
    token: &'a str,
    header: Header,
}

impl<'a> Presented<'a> {
    /// Takes the token out of the value of `authorization`.
    ///
    /// # Errors
    /// It is no bearer token, too long, without the form of a token, or of an
    /// algorithm that is not taken.
    pub fn from_header(value: &'a [u8]) -> Result<Self, Refusal> {
        let text = std::str::from_utf8(value).map_err(|_| Refusal::NotBearer)?;
        let (scheme, token) = text.split_once(' ').ok_or(Refusal::NotBearer)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::NotBearer);
        }
        Self::parse(token.trim_matches(' '))
    }

    /// # Errors
    /// See [`Self::from_header`].
    pub fn parse(token: &'a str) -> Result<Self, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TokenTooLarge);
        }
        if token.bytes().filter(|b| *b == b'.').count() != 2 {
            return Err(Refusal::Malformed("it has not three parts"));
        }
        // `none` is no algorithm here, so that its header cannot be read.
        let header = decode_header(token)
            .map_err(|_| Refusal::Malformed("its header cannot be read, or names no algorithm"))?;
        if !matches!(
            header.alg,
            Algorithm::EdDSA | Algorithm::ES256 | Algorithm::RS256
        ) {
            return Err(Refusal::Algorithm);
        }
        if header.crit.is_some() {
            return Err(Refusal::Malformed("it has critical extensions (crit)"));
        }
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        let kind = kind
            .as_deref()
            .map(|k| k.trim_start_matches("application/"));
        if !matches!(kind, None | Some("jwt" | "at+jwt")) {
            return Err(Refusal::Malformed("it is of another kind (typ)"));
        }
        Ok(Self { token, header })
    }

    /// The id of the key that is said to have signed it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// It was not signed by one of the keys, or is not to be taken (now).
    pub fn check(
        &self,
        keys: &KeySet,
        trust: &Trust,
        revocations: &Revocations,
        now_secs: u64,
    ) -> Result<Caller, Refusal> {
        crypto::install();
        let key = keys.find(self.key_id()).ok_or(Refusal::UnknownKey)?;
        // The key's kind says which algorithm, not the token.
        if key.algorithm != self.header.alg {
            return Err(Refusal::Algorithm);
        }
        let mut validation = Validation::new(key.algorithm);
        // The signature only: the claims are checked below, on our own clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let checked = decode::<Claims>(self.token, &key.key, &validation);
        let claims = checked.map_err(|error| refusal(&error))?.claims;
        if claims.iss != trust.issuer {
            return Err(Refusal::Issuer {
                wanted: trust.issuer.clone(),
            });
        }
        claims.check_audience(&trust.audience)?;
        claims.check_times(now_secs, trust.leeway_secs)?;
        let caller = claims.caller()?;
        if revocations.covers(&caller, now_secs) {
            return Err(Refusal::Revoked);
        }
        Ok(caller)
    }
}

fn refusal(error: &jsonwebtoken::errors::Error) -> Refusal {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => Refusal::Malformed(
            "its claims iss, aud, sub, exp and baogong are not all there, or of a wrong type",
        ),
        ErrorKind::Base64(_) | ErrorKind::InvalidToken => {
            Refusal::Malformed("its parts are not base64url")
        }
        _ => Refusal::Signature,
    }
}

/// The `jti` of a token, which nobody has checked: good for revoking it and
/// for nothing else.
///
/// # Errors
/// It has not the form of a token.
pub fn claimed_id(token: &str) -> Result<Option<String>, Refusal> {
    let presented = Presented::parse(token)?;
    let claims = insecure_decode_claims::<Claims>(presented.token);
    Ok(claims.map_err(|error| refusal(&error))?.jti)
}
