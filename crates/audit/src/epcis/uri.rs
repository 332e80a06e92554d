//! Names of things. We have no GS1 company prefix and assign no GS1 keys, so
//! all names are private URLs in the forms that CBV 2.0 has for them
//! (section 8: `…/obj/…`, `…/class/…`, `…/loc/…`, `…/bt/…`), below a base that
//! whoever runs the suite owns.

use std::{fmt::Write as _, str::FromStr};

use proto::types::v1::Door;

/// Nobody's: RFC 2606 keeps it free for ever.
pub const DEFAULT_BASE: &str = "https://baogong.example";

/// What all names begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdBase(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no base for names: it reads https://<your host>/<path>, of letters, digits and -._~/, \
     without a query or fragment"
)]
pub struct BadBase(String);

impl FromStr for IdBase {
    type Err = BadBase;

    fn from_str(text: &str) -> Result<Self, BadBase> {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
        match rest {
            Some(rest) if rest.starts_with(|c: char| c.is_ascii_alphanumeric()) => {
                let base = text.trim_end_matches('/');
                let fine = rest.chars().all(plain);
                fine.then(|| Self(base.to_owned()))
                    .ok_or_else(|| BadBase(text.to_owned()))
            }
            _ => Err(BadBase(text.to_owned())),
        }
    }
}

impl IdBase {
    fn name(&self, form: &str, parts: &[&str]) -> String {
        let mut name = format!("{}/{form}/", self.0);
        for (n, part) in parts.iter().enumerate() {
            if n > 0 {
                name.push('.');
            }
            push_escaped(&mut name, part);
        }
        name
    }

    /// One labelled bag.
    pub(super) fn bag(&self, label: &str) -> String {
        self.name("obj", &["bag", label])
    }

    /// All of an order that travels: its bags together.
    pub(super) fn parcel(&self, order_id: &str) -> String {
        self.name("obj", &["parcel", order_id])
    }

    /// What a member carries on one run.
    pub(super) fn load_of_run(&self, run_id: &str) -> String {
        self.name("obj", &["run", run_id])
    }

    /// Units of one product from one lot.
    pub(super) fn lot(&self, area: &str, product_id: &str, lot_id: &str) -> String {
        self.name("class", &["lot", area, product_id, lot_id])
    }

    pub(super) fn transaction(&self, kind: &str, id: &str) -> String {
        self.name("bt", &[kind, id])
    }

    pub(super) fn store(&self, area: &str, location: &str) -> String {
        self.name("loc", &["store", area, location])
    }

    pub(super) fn checkpoint(&self, area: &str, checkpoint_id: &str) -> String {
        self.name("loc", &["checkpoint", area, checkpoint_id])
    }

    /// The stairwell. Which door it was is nobody's business.
    pub(super) fn entrance(&self, area: &str, door: &Door) -> String {
        let (community, grid) = (&*door.community, &*door.grid);
        let (building, entrance) = (&*door.building, &*door.entrance);
        self.name(
            "loc",
            &["entrance", area, community, grid, building, entrance],
        )
    }

    pub(super) fn party(&self, kind: &str, area: &str, id: &str) -> String {
        self.name("party", &[kind, area, id])
    }

    /// The household that the order is for, without naming it.
    pub(super) fn household_of(&self, order_id: &str) -> String {
        self.name("party", &["household-of", order_id])
    }

    /// A word of our own.
    pub(super) fn word(&self, word: &str) -> String {
        format!("{}{word}", self.vocabulary())
    }

    /// What `baogong:` stands for in the document.
    pub(super) fn vocabulary(&self) -> String {
        format!("{}/voc/", self.0)
    }
}

/// Everything but RFC 3986's unreserved characters, and the dot too, which
/// stands between the parts.
fn push_escaped(name: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) {
            name.push(char::from(byte));
        } else {
            let _ = write!(name, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_uris_whatever_the_ids_are() {
        let base: IdBase = "https://supply.example.org/town/".parse().expect("fine");
        assert_eq!(
            base.bag("O.1/粮"),
            "https://supply.example.org/town/obj/bag.O%2E1%2F%E7%B2%AE"
        );
        // Different parts never make the same name.
        assert_ne!(base.lot("1", "a.b", "c"), base.lot("1", "a", "b.c"));
    }

    #[test]
    fn a_base_is_a_plain_address() {
        for bad in [
            "",
            "supply.example.org",
            "https://",
            "https://a b",
            "https://a?b",
            "ftp://a",
        ] {
            assert_eq!(bad.parse::<IdBase>(), Err(BadBase(bad.into())));
        }
    }
}
