//! S02: households with their door, needs and the one cadre who answers for
//! them. Contacts are here only sealed; this module cannot read them.

use std::collections::BTreeSet;

use decider::{
    Area, Context, Name, Names, Recorded, Revision, Timestamp,
    table::{Entity, Row, Table},
};
use proto::{
    OrderEvent,
    order::v1::{HouseholdHandedOver, HouseholdRegistered, HouseholdUpdated},
    types::v1::{Need, Sealed},
};
use serde::{Deserialize, Serialize};

use crate::{
    batch::Batch,
    command::RegisterHousehold,
    compact::{DoorCodes, Needs, SealedContact},
    erasure::{Erased, Erasures},
    ids::{CadreId, HouseholdId},
    index::Index,
    rejection::Rejection,
};

/// Households that one hand-over command moves at most; a size limit may make
/// it fewer.
pub const HAND_OVER_HOUSEHOLDS_MAX: usize = 100;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Household {
    pub household_id: HouseholdId,
    pub area: Area,
    pub door: DoorCodes,
    pub contact: Option<SealedContact>,
    /// Set once its personal data was erased; `contact` is none then.
    pub erased: Option<Box<Erased>>,
    pub needs: Needs,
    pub cadre_id: CadreId,
    pub language: Name,
    pub people: i32,
    pub registered: Timestamp,
    pub updated: Timestamp,
    pub revision: Revision,
}

impl Household {
    pub(crate) fn describe(&self) -> String {
        let door = self.door.to_door();
        format!(
            "registered at {}/{}/{}/{}/{}, cadre {}, {} people, {} needs",
            door.community,
            door.grid,
            door.building,
            door.entrance,
            door.door,
            self.cadre_id,
            self.people,
            self.needs.len()
        ) + &self
            .erased
            .as_ref()
            .map_or_else(String::new, |erased| erased.describe())
    }

    /// A sealed contact is compared as bytes: sealing the same contact anew
    /// gives others, and what cannot be read must not be taken for the same.
    fn is(&self, asked: &RegisterHousehold) -> bool {
        self.door == asked.door
            && is_contact(self.contact.as_ref(), asked.contact.as_ref())
            && self.needs == asked.needs.iter().copied().collect()
            && self.cadre_id == asked.cadre_id
            && self.language == asked.language
            && self.people == asked.people
    }
}

fn is_contact(known: Option<&SealedContact>, asked: Option<&Sealed>) -> bool {
    match (known, asked) {
        (Some(known), Some(asked)) => known == asked,
        (known, asked) => known.is_none() && asked.is_none(),
    }
}

/// Which households of an area; empty means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HouseholdFilter {
    pub community: String,
    pub grid: String,
    pub cadre_id: String,
}

impl Entity for Household {
    type Id = HouseholdId;

    fn id(&self) -> &HouseholdId {
        &self.household_id
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Scope {
    Area(Area),
    Community(Area, String),
    Grid(Area, String, String),
    Cadre(Area, CadreId),
}

#[derive(Debug, Default)]
pub(crate) struct Households {
    table: Table<Household>,
    /// Cadres and languages.
    names: Names,
    index: Index<Scope>,
    pub(crate) erasures: Erasures,
}

impl Households {
    pub(crate) const fn table(&self) -> &Table<Household> {
        &self.table
    }

    /// Only to be written.
    pub(crate) fn frozen(&mut self) -> Self {
        Self {
            table: self.table.frozen(),
            ..Self::default()
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Household> {
        self.table.get(id)
    }

    /// With its row, which stays the same.
    pub(crate) fn find(&self, id: &str) -> Option<(Row, &Household)> {
        let row = self.table.find(id)?;
        Some((row, &self.table[row]))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Household> {
        self.table.sorted().into_iter()
    }

    pub(crate) fn get_in(&self, area: &Area, id: &str) -> Option<&Household> {
        self.get(id).filter(|household| household.area == *area)
    }

    pub(crate) fn known(&self, area: &Area, id: &HouseholdId) -> Result<&Household, Rejection> {
        self.get_in(area, id.as_str())
            .ok_or_else(|| Rejection::HouseholdUnknown {
                household_id: id.clone(),
                area: area.clone(),
            })
    }

    pub(crate) fn list<'a>(
        &'a self,
        area: &Area,
        filter: HouseholdFilter,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a Household> + use<'a> {
        let area = area.clone();
        let scope = if !filter.cadre_id.is_empty() {
            Scope::Cadre(area, filter.cadre_id.as_str().into())
        } else if !filter.community.is_empty() && !filter.grid.is_empty() {
            Scope::Grid(area, filter.community.clone(), filter.grid.clone())
        } else if !filter.community.is_empty() {
            Scope::Community(area, filter.community.clone())
        } else {
            Scope::Area(area)
        };
        let fits = |wanted: &str, is: &str| wanted.is_empty() || wanted == is;
        self.index
            .after(&self.table, &scope, after)
            .filter(move |household| {
                fits(&filter.community, household.door.community())
                    && fits(&filter.grid, household.door.grid())
                    && fits(&filter.cadre_id, household.cadre_id.as_str())
            })
    }

    pub(crate) fn count(&self, area: &Area) -> usize {
        self.index.count(&Scope::Area(area.clone()))
    }

    /// How many of the chosen (all, where none is chosen) are still with the
    /// cadre.
    pub(crate) fn still_with(&self, area: &Area, cadre: &CadreId, ids: &[HouseholdId]) -> usize {
        if ids.is_empty() {
            return self.index.count(&Scope::Cadre(area.clone(), cadre.clone()));
        }
        ids.iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .filter_map(|id| self.get_in(area, id.as_str()))
            .filter(|household| household.cadre_id == *cadre)
            .count()
    }

    pub(crate) fn registered(
        &mut self,
        record: &Recorded<OrderEvent>,
        event: &HouseholdRegistered,
    ) {
        let id = HouseholdId::from(event.household_id.as_str());
        if self.table.find(&id).is_some() {
            return;
        }
        let household = Household {
            household_id: id,
            area: record.area.clone(),
            door: event.door.as_ref().map(DoorCodes::from).unwrap_or_default(),
            contact: event.contact.as_ref().map(SealedContact::from),
            erased: None,
            needs: needs_of(&event.needs),
            cadre_id: event.cadre_id.as_str().into(),
            language: event.language.as_str().into(),
            people: event.people,
            registered: record.occurred,
            updated: record.occurred,
            revision: record.revision,
        };
        self.put(household);
    }

    pub(crate) fn put(&mut self, mut household: Household) {
        self.names.share(&mut household.language);
        household.cadre_id = self.names.get(household.cadre_id.as_str()).into();
        let (area, door) = (household.area.clone(), household.door.clone());
        let cadre = Scope::Cadre(area.clone(), household.cadre_id.clone());
        self.erasures.put(&household);
        let row = self.table.insert(household);
        for scope in [
            cadre,
            Scope::Community(area.clone(), door.community().to_owned()),
            Scope::Grid(
                area.clone(),
                door.community().to_owned(),
                door.grid().to_owned(),
            ),
            Scope::Area(area),
        ] {
            self.index.insert(&self.table, scope, row);
        }
    }

    pub(crate) fn updated(&mut self, record: &Recorded<OrderEvent>, event: &HouseholdUpdated) {
        if let Some(household) = self.table.get_mut(event.household_id.as_str()) {
            household.revision = record.revision;
            household.updated = record.occurred;
            if event.contact.is_some() && household.erased.is_none() {
                household.contact = event.contact.as_ref().map(SealedContact::from);
            }
            if event.needs_changed {
                household.needs = needs_of(&event.needs);
            }
        }
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Household> {
        self.table.get_mut(id)
    }

    pub(crate) fn handed_over(
        &mut self,
        record: &Recorded<OrderEvent>,
        event: &HouseholdHandedOver,
    ) {
        if let Some(row) = self.table.find(event.household_id.as_str()) {
            let household = self.table.at_mut(row);
            household.revision = record.revision;
            household.updated = record.occurred;
            let to = CadreId::from(self.names.get(&event.to_cadre_id));
            let from = std::mem::replace(&mut household.cadre_id, to.clone());
            let area = household.area.clone();
            let from = Scope::Cadre(area.clone(), from);
            self.index.remove(&self.table, &from, row);
            self.index.insert(&self.table, Scope::Cadre(area, to), row);
        }
    }
}

fn needs_of(values: &[i32]) -> Needs {
    let known = values
        .iter()
        .filter_map(|value| Need::try_from(*value).ok());
    known.collect()
}

/// Sorted, each once.
fn values(needs: &[Need]) -> Vec<i32> {
    let needs: Needs = needs.iter().copied().collect();
    needs.iter().map(i32::from).collect()
}

/// A household's id is its stream's: it is unique over all areas of the
/// partition.
pub(crate) fn register(
    households: &Households,
    asked: &RegisterHousehold,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    match households.get(asked.household_id.as_str()) {
        // What was registered cannot be compared any more.
        Some(household) if household.erased.is_some() => Err(Rejection::PersonalDataErased {
            household_id: asked.household_id.clone(),
        }),
        Some(household) if household.area == context.area && household.is(asked) => Ok(vec![]),
        Some(_) => Err(Rejection::HouseholdExists {
            household_id: asked.household_id.clone(),
        }),
        None => Ok(vec![
            HouseholdRegistered {
                household_id: (&asked.household_id).into(),
                door: Some(asked.door.clone()),
                contact: asked.contact.clone(),
                needs: values(&asked.needs),
                cadre_id: (&asked.cadre_id).into(),
                language: asked.language.clone(),
                people: asked.people,
            }
            .into(),
        ]),
    }
}

pub(crate) fn update(
    households: &Households,
    household_id: &HouseholdId,
    contact: Option<&Sealed>,
    needs: Option<&[Need]>,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    let household = households.known(&context.area, household_id)?;
    if contact.is_some() && household.erased.is_some() {
        return Err(Rejection::PersonalDataErased {
            household_id: household_id.clone(),
        });
    }
    let contact = contact.filter(|contact| !is_contact(household.contact.as_ref(), Some(contact)));
    let needs = needs.filter(|needs| household.needs != needs.iter().copied().collect());
    if contact.is_none() && needs.is_none() {
        return Ok(vec![]);
    }
    Ok(vec![
        HouseholdUpdated {
            household_id: household_id.into(),
            contact: contact.cloned(),
            needs: needs.map(values).unwrap_or_default(),
            needs_changed: needs.is_some(),
        }
        .into(),
    ])
}

/// Moves as many as one command may. Chosen households that are with the new
/// cadre already are passed over, so that asking again with the same list
/// moves the rest.
pub(crate) fn hand_over(
    households: &Households,
    from: &CadreId,
    to: &CadreId,
    chosen: &[HouseholdId],
    reason: &str,
    context: &Context,
) -> Result<Vec<OrderEvent>, Rejection> {
    if from == to {
        return Err(Rejection::SameCadre {
            cadre_id: from.clone(),
        });
    }
    let mut batch = Batch::new(HAND_OVER_HOUSEHOLDS_MAX);
    for id in to_hand_over(households, from, to, chosen, &context.area)? {
        let event = HouseholdHandedOver {
            household_id: id.into(),
            from_cadre_id: from.into(),
            to_cadre_id: to.into(),
            reason: reason.to_owned(),
        };
        if !batch.take(event.into()) {
            break;
        }
    }
    Ok(batch.into_events())
}

fn to_hand_over<'a>(
    households: &'a Households,
    from: &CadreId,
    to: &CadreId,
    chosen: &'a [HouseholdId],
    area: &Area,
) -> Result<Vec<&'a HouseholdId>, Rejection> {
    if chosen.is_empty() {
        let scope = Scope::Cadre(area.clone(), from.clone());
        let all = households
            .index
            .after::<_, HouseholdId>(&households.table, &scope, None);
        let ids = all.map(|household| &household.household_id);
        return Ok(ids.take(HAND_OVER_HOUSEHOLDS_MAX).collect());
    }
    let mut wanted = Vec::new();
    for id in chosen.iter().collect::<BTreeSet<_>>() {
        let household = households.known(area, id)?;
        if household.cadre_id == *from {
            wanted.push(id);
        } else if household.cadre_id != *to {
            return Err(Rejection::HouseholdOfOtherCadre {
                household_id: id.clone(),
                from_cadre_id: from.clone(),
                cadre_id: household.cadre_id.clone(),
            });
        }
    }
    Ok(wanted)
}
