//! An issuer of tokens for a suite whose services are started one by one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::ensure;

use crate::{
    Suite,
    laptop::{baogong, last_words},
};

const ISSUER: &str = "baogong-laptop";
const AUDIENCE: &str = "baogong";

/// The issuer's files, and a token that may read every log.
pub struct Access {
    folder: PathBuf,
}

impl Access {
    /// # Errors
    /// They cannot be made.
    pub fn create(folder: &Path) -> anyhow::Result<Self> {
        let access = Self {
            folder: folder.to_owned(),
        };
        let path = |name| access.path(name);
        let made = |arguments: &[&str]| {
            let output = baogong(arguments).output()?;
            ensure!(output.status.success(), "{}", last_words(&output));
            Ok(())
        };
        let key = access.issuer_key();
        made(&[
            "token",
            "keys",
            "--key",
            &key,
            "--jwks",
            &path("jwks.json"),
            "--revocations",
            &path("revoked"),
        ])?;
        made(&[
            "token",
            "issue",
            "--key",
            &key,
            "--role",
            "auditor",
            "--subject",
            "reader",
            "--all-areas",
            "--out",
            &path("reader.token"),
        ])?;
        Ok(access)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The issuer's secret key.
    #[must_use]
    pub fn issuer_key(&self) -> String {
        self.path("issuer.key")
    }

    /// A token that may read every log.
    #[must_use]
    pub fn reader_token(&self) -> String {
        self.path("reader.token")
    }

    /// What services need to ask for its tokens.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("BAOGONG_ACCESS__MODE", "tokens".to_owned()),
            ("BAOGONG_ACCESS__ISSUER", ISSUER.to_owned()),
            ("BAOGONG_ACCESS__AUDIENCE", AUDIENCE.to_owned()),
            ("BAOGONG_ACCESS__JWKS_FILE", self.path("jwks.json")),
            ("BAOGONG_ACCESS__REVOCATIONS_FILE", self.path("revoked")),
            ("BAOGONG_ACCESS__PEER_TOKEN_FILE", self.reader_token()),
        ]
    }

    /// Tells the commands of the suite that they need tokens, and where from.
    ///
    /// # Errors
    /// The suite's file cannot be written.
    pub fn tell(&self, suite: &Suite) -> anyhow::Result<()> {
        let text = fs::read_to_string(suite.suite_file())?;
        let mut file: serde_json::Value = serde_json::from_str(&text)?;
        file["access"] = serde_json::json!({
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "key_file": self.issuer_key(),
            "jwks_file": self.path("jwks.json"),
            "revocations_file": self.path("revoked"),
            "token_file": self.reader_token(),
        });
        fs::write(suite.suite_file(), file.to_string())?;
        Ok(())
    }
}
