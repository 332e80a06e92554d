//! Who calls: what a checked token says of its bearer.

use std::fmt;

use decider::{Area, Role};

/// The areas that a caller may speak of.
///
/// Codes of GB/T 2260 and GB/T 10114 nest by their digits: `31` is a province,
/// `3101` a prefecture, `310115` a county, `310115132` a subdistrict; whoever
/// has a wider one has what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Areas {
    All,
    /// Codes of 2, 4, 6 or 9 digits.
    Some(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no area: 2, 4, 6 or 9 digits are needed, or `*` alone for all")]
pub struct AreasError(String);

impl Areas {
    /// Reads codes; `*` alone stands for all.
    ///
    /// # Errors
    /// A code is none.
    pub fn parse<S: AsRef<str>>(codes: &[S]) -> Result<Self, AreasError> {
        if let [one] = codes
            && one.as_ref() == "*"
        {
            return Ok(Self::All);
        }
        let codes = codes.iter().map(|code| {
            let code = code.as_ref();
            let digits = code.bytes().all(|b| b.is_ascii_digit());
            if digits && matches!(code.len(), 2 | 4 | 6 | 9) {
                Ok(code.to_owned())
            } else {
                Err(AreasError(code.chars().take(32).collect()))
            }
        });
        codes.collect::<Result<_, _>>().map(Self::Some)
    }

    /// Whether an area, as a request names it, is among them. A text that is
    /// no area is in none.
    #[must_use]
    pub fn holds(&self, area: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(codes) => {
                Area::new(area).is_ok() && codes.iter().any(|code| area.starts_with(code.as_str()))
            }
        }
    }

    /// As a token has them.
    #[must_use]
    pub fn codes(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Some(codes) => codes.clone(),
        }
    }
}

impl fmt::Display for Areas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all areas"),
            Self::Some(codes) if codes.is_empty() => f.write_str("no area"),
            Self::Some(codes) => f.write_str(&codes.join(", ")),
        }
    }
}

/// Whose token it was; in the extensions of every request that carried one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// A code, never a name of a person.
    pub subject: String,
    /// The token's own `sub`, which `subject` may stand for; only revocations
    /// look at it.
    pub sub: String,
    /// What it holds, as the token lists them; at least one.
    pub roles: Vec<Role>,
    /// In which of them it makes this call; set where the call's rule is
    /// known.
    pub acting: Option<Role>,
    pub areas: Areas,
    /// The firm of a carrier.
    pub carrier: Option<String>,
    /// The household of a resident.
    pub household: Option<String>,
    /// `jti`.
    pub token_id: Option<String>,
    /// `iat`, seconds since 1970.
    pub issued_secs: Option<u64>,
    /// `exp`, seconds since 1970.
    pub expires_secs: u64,
}

impl Caller {
    /// Whether something of a household may be shown to or changed by this
    /// caller: a resident has his own only. For handlers of methods whose rule
    /// says `owner_checked`.
    #[must_use]
    pub fn may_name_household(&self, household: &str) -> bool {
        self.acting != Some(Role::Resident) || self.household.as_deref() == Some(household)
    }

    /// As [`Self::may_name_household`], of a person.
    #[must_use]
    pub fn may_name_subject(&self, subject: &str) -> bool {
        self.acting != Some(Role::Resident) || self.subject == subject
    }

    /// As [`Self::may_name_household`], of a carrier's firm.
    #[must_use]
    pub fn may_name_carrier(&self, carrier: &str) -> bool {
        self.acting != Some(Role::Carrier) || self.carrier.as_deref() == Some(carrier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wider_areas_hold_what_lies_in_them() {
        let areas = Areas::parse(&["310115", "310101002"]).expect("codes");
        for (area, held) in [
            ("310115132", true),
            ("310101002", true),
            ("310101003", false),
            ("31011513", false),
            ("310115", false),
            ("", false),
            ("310115132 ", false),
            ("31011513x", false),
        ] {
            assert_eq!(areas.holds(area), held, "{area}");
        }
        assert!(Areas::All.holds("310115132"));
        assert!(!Areas::Some(Vec::new()).holds("310115132"));
    }

    #[test]
    fn what_is_no_area_is_refused() {
        for wrong in [
            &["3101151"][..],
            &[""],
            &["*", "310115"],
            &["31011513x"],
            &["３１"],
        ] {
            assert!(Areas::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
