//! Who holds a parcel, and what in a history contradicts it. An accepted
//! command never makes a fault; a log that was altered does.

use decider::{Invariant, Name, Violation};
use proto::logistics::v1::{Custodian, CustodianKind};
use serde::{Deserialize, Serialize};

/// Faults kept with their details; further ones are only counted.
const FAULTS_MAX: usize = 1_000;

/// The one store that goods come from and go back to; logistics knows no
/// more of it.
pub(crate) const STORE_ID: &str = "store";

pub(crate) fn custodian(kind: CustodianKind, id: &str) -> Custodian {
    Custodian {
        kind: kind.into(),
        id: id.to_owned(),
    }
}

pub(crate) fn carrier(id: &str) -> Custodian {
    custodian(CustodianKind::Carrier, id)
}

pub(crate) fn checkpoint(id: &str) -> Custodian {
    custodian(CustodianKind::Checkpoint, id)
}

pub(crate) fn member(id: &str) -> Custodian {
    custodian(CustodianKind::Member, id)
}

pub(crate) fn household(id: &str) -> Custodian {
    custodian(CustodianKind::Household, id)
}

pub(crate) fn store() -> Custodian {
    custodian(CustodianKind::Store, STORE_ID)
}

/// `carrier/c-1`.
pub(crate) fn name(custodian: &Custodian) -> String {
    let kind = custodian.kind().as_str_name();
    let kind = kind.trim_start_matches("CUSTODIAN_KIND_");
    format!("{}/{}", kind.to_ascii_lowercase(), custodian.id)
}

/// Who has a parcel, in few bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    kind: i32,
    pub id: Name,
}

impl Holder {
    /// The custodian, sharing the text of its id with the first of `names`
    /// that is the same.
    pub(crate) fn new(custodian: &Custodian, names: &[&Name]) -> Self {
        let known = names.iter().find(|name| ***name == custodian.id);
        Self {
            kind: custodian.kind,
            id: known.map_or_else(|| Name::from(&*custodian.id), |name| (*name).clone()),
        }
    }

    #[must_use]
    pub fn kind(&self) -> CustodianKind {
        CustodianKind::try_from(self.kind).unwrap_or_default()
    }

    #[must_use]
    pub fn to_message(&self) -> Custodian {
        Custodian {
            kind: self.kind,
            id: String::from(&self.id),
        }
    }
}

impl PartialEq<Custodian> for Holder {
    fn eq(&self, other: &Custodian) -> bool {
        self.kind == other.kind && self.id == other.id
    }
}

/// What the history says that cannot have been.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Faults {
    list: Vec<Violation>,
    beyond: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, invariant: Invariant, entity: String, detail: String) {
        if self.list.len() < FAULTS_MAX {
            self.list.push(Violation {
                invariant,
                entity,
                detail,
            });
        } else {
            self.beyond = self.beyond.saturating_add(1);
        }
    }

    pub(crate) fn of_parcel(&mut self, invariant: Invariant, order_id: &str, detail: String) {
        self.add(invariant, format!("parcel/{order_id}"), detail);
    }

    pub(crate) fn all(&self) -> Vec<Violation> {
        let mut all = self.list.clone();
        if self.beyond > 0 {
            all.push(Violation {
                invariant: Invariant::OneCustodian,
                entity: "logistics".into(),
                detail: format!("{} further faults are not listed", self.beyond),
            });
        }
        all
    }
}
