//! An issuer of its own, for a laptop and for those who have no OIDC issuer:
//! an Ed25519 key, kept as a private JWK (RFC 8037) in one line of text.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Grant, crypto};

/// Why an issuer's key is of no use; nothing of it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error("this is no key of an issuer: one Ed25519 key as a private JWK is needed (RFC 8037)")]
    Key,
    #[error("the two halves of the issuer's key do not belong together")]
    Halves,
}

#[derive(Serialize, Deserialize)]
struct PrivateJwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    d: String,
}

/// Signs tokens.
#[derive(Clone)]
pub struct Issuer {
    kid: String,
    public: String,
    seed: [u8; 32],
    key: EncodingKey,
}

impl Issuer {
    /// An issuer with the key of a random `seed`. Its id is the key's
    /// thumbprint (RFC 7638).
    ///
    /// # Panics
    /// Never: any 32 bytes are a seed (RFC 8032).
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed has 32 bytes");
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
        crypto::install();
        Self {
            kid: URL_SAFE_NO_PAD.encode(Sha256::digest(canonical)),
            public,
            seed,
            key: EncodingKey::from_ed_der(&seed),
        }
    }

    /// Reads what [`Self::reveal`] gave.
    ///
    /// # Errors
    /// It is no such key.
    pub fn parse(text: &str) -> Result<Self, IssuerError> {
        let jwk: PrivateJwk = serde_json::from_str(text).map_err(|_| IssuerError::Key)?;
        if jwk.kty != "OKP" || jwk.crv != "Ed25519" {
            return Err(IssuerError::Key);
        }
        let seed = URL_SAFE_NO_PAD.decode(&jwk.d).ok();
        let seed = seed.and_then(|bytes| bytes.try_into().ok());
        let issuer = Self::new(seed.ok_or(IssuerError::Key)?);
        if issuer.public != jwk.x {
            return Err(IssuerError::Halves);
        }
        Ok(issuer)
    }

    /// The secret key as text, for the one file that holds it.
    ///
    /// # Panics
    /// Never: a map of texts is JSON.
    #[must_use]
    pub fn reveal(&self) -> String {
        let jwk = PrivateJwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            kid: self.kid.clone(),
            x: self.public.clone(),
            d: URL_SAFE_NO_PAD.encode(self.seed),
        };
        serde_json::to_string(&jwk).expect("texts are JSON")
    }

    /// Its public half as a key set, for those who check.
    #[must_use]
    pub fn jwks(&self) -> String {
        format!(
            r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"{}","x":"{}"}}]}}"#,
            self.kid, self.public
        )
    }

    /// Id of its key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// A token from `now_secs` on, valid for `ttl_secs`.
    ///
    /// # Panics
    /// Never: claims are JSON, and any seed signs.
    #[must_use]
    pub fn issue(&self, order: &TokenOrder<'_>) -> String {
        let claims = serde_json::json!({
            "iss": order.issuer,
            "aud": order.audience,
            "sub": order.subject,
            "exp": order.now_secs.saturating_add(order.ttl_secs),
            "iat": order.now_secs,
            "jti": order.token_id,
            "baogong": order.grant,
        });
        self.sign(&claims)
    }

    /// Signs any claims.
    ///
    /// # Panics
    /// Never, see [`Self::issue`].
    #[must_use]
    pub fn sign(&self, claims: &impl Serialize) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        // An access token (RFC 9068), so that no other kind is taken for one.
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.kid.clone());
        encode(&header, claims, &self.key).expect("claims are JSON, and the key signs")
    }
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct TokenOrder<'a> {
    pub issuer: &'a str,
    pub audience: &'a str,
    pub subject: &'a str,
    /// `jti`, unique.
    pub token_id: &'a str,
    pub now_secs: u64,
    pub ttl_secs: u64,
    pub grant: Grant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written() {
        let issuer = Issuer::new([7; 32]);
        let read = Issuer::parse(&issuer.reveal()).expect("the same key");
        assert_eq!(read.kid(), issuer.kid());
        assert_eq!(read.jwks(), issuer.jwks());
    }

    /// The key of RFC 8037, appendix A, and its thumbprint there.
    #[test]
    fn the_id_is_the_thumbprint_of_the_standard() {
        let text = r#"{"kty":"OKP","crv":"Ed25519","kid":"",
            "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let issuer = Issuer::parse(text).expect("a key");
        assert_eq!(issuer.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn halves_of_two_keys_are_refused() {
        let one = Issuer::new([1; 32]);
        let two = Issuer::new([2; 32]);
        let mixed = one.reveal().replace(&one.public, &two.public);
        assert!(matches!(Issuer::parse(&mixed), Err(IssuerError::Halves)));
        assert!(matches!(Issuer::parse("{}"), Err(IssuerError::Key)));
    }
}
