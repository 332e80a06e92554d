//! The name of a log, first line of its checkpoints and name of its keys:
//! `baogong/<service>/<partition>`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// Identity of one log: a service's partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    service: String,
    partition: u32,
}

/// A text that names no log of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a log's origin; it reads baogong/<service>/<partition>")]
pub struct OriginError(pub String);

impl Origin {
    /// # Errors
    /// The service's name is not of lower-case letters, digits and hyphens.
    pub fn new(service: &str, partition: u32) -> Result<Self, OriginError> {
        let fine = service.starts_with(|c: char| c.is_ascii_lowercase())
            && service
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fine {
            return Err(OriginError(format!("baogong/{service}/{partition}")));
        }
        Ok(Self {
            service: service.into(),
            partition,
        })
    }

    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    #[must_use]
    pub fn partition(&self) -> u32 {
        self.partition
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "baogong/{}/{}", self.service, self.partition)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let wrong = || OriginError(text.into());
        let rest = text.strip_prefix("baogong/").ok_or_else(wrong)?;
        let (service, partition) = rest.split_once('/').ok_or_else(wrong)?;
        let partition = partition.parse().map_err(|_| wrong())?;
        let origin = Self::new(service, partition).map_err(|_| wrong())?;
        // One log has one spelling: no "+1", no leading zeros.
        if origin.to_string() == text {
            Ok(origin)
        } else {
            Err(wrong())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        let origin = Origin::new("order", 12).unwrap();
        assert_eq!(origin.to_string(), "baogong/order/12");
        assert_eq!("baogong/order/12".parse(), Ok(origin));
        for wrong in [
            "",
            "order/1",
            "baogong/order",
            "baogong/order/01",
            "baogong/order/+1",
            "baogong/Order/1",
            "baogong//1",
            "baogong/order/1/2",
            "baogong/order/1 ",
            "baogong/or+der/1",
        ] {
            assert_eq!(
                wrong.parse::<Origin>(),
                Err(OriginError(wrong.into())),
                "{wrong:?}"
            );
        }
    }
}
