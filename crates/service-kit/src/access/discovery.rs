//! Where an issuer says that its keys are (OpenID Connect Discovery 1.0,
//! section 4). The issuer must name itself, letter for letter: else whoever
//! answers at its address could speak for another (section 4.3).

use serde::Deserialize;

use super::{keys::SourceError, options::is_safe};

/// What is read of the configuration; it says much more.
#[derive(Deserialize)]
struct Told {
    issuer: String,
    jwks_uri: String,
}

pub(super) struct Discovery {
    issuer: String,
    url: String,
}

impl Discovery {
    pub(super) fn new(issuer: &str) -> Self {
        let base = issuer.trim_end_matches('/');
        Self {
            url: format!("{base}/.well-known/openid-configuration"),
            issuer: issuer.to_owned(),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The address of the keys in what was answered.
    pub(super) fn jwks_uri(&self, answer: &[u8]) -> Result<String, SourceError> {
        let wrong = |why: String| SourceError::Discovery {
            url: self.url.clone(),
            why,
        };
        let told: Told = serde_json::from_slice(answer)
            .map_err(|error| wrong(format!("issuer and jwks_uri are needed ({error})")))?;
        if told.issuer != self.issuer {
            return Err(wrong(format!(
                "it is that of the issuer {:?}, and access.issuer is {:?}; they must be the same, \
                 letter for letter",
                told.issuer, self.issuer
            )));
        }
        if !is_safe(&told.jwks_uri) {
            return Err(wrong(format!(
                "jwks_uri is no https URL: {:?}",
                told.jwks_uri
            )));
        }
        Ok(told.jwks_uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "https://login.example.org/realms/city";

    fn told(answer: &str) -> Result<String, String> {
        let discovery = Discovery::new(ISSUER);
        let uri = discovery.jwks_uri(answer.as_bytes());
        uri.map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_follows_from_the_issuers_name() {
        let wanted = format!("{ISSUER}/.well-known/openid-configuration");
        assert_eq!(Discovery::new(ISSUER).url(), wanted);
        assert_eq!(Discovery::new(&format!("{ISSUER}/")).url(), wanted);
    }

    #[test]
    fn the_issuer_must_name_itself() {
        let good = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"https://k.example.org/k","x":1}}"#);
        assert_eq!(told(&good), Ok("https://k.example.org/k".to_owned()));
        for (answer, why) in [
            (good.replace("city", "other"), "letter for letter"),
            (good.replace("city\"", "city/\""), "letter for letter"),
            (good.replace("https://k", "http://k"), "https"),
            (good.replace("jwks_uri", "keys"), "jwks_uri"),
            ("<html>".to_owned(), "no issuer's configuration"),
        ] {
            let refused = told(&answer).expect_err("refused");
            assert!(refused.contains(why), "{answer}: {refused}");
        }
    }
}
