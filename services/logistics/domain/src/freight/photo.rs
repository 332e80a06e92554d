//! Photos that carriers took: whose they are, and how long they are kept. Of a
//! photo itself only its hash is here; its bytes lie beside the log, so that
//! they can be deleted.

use std::collections::{BTreeMap, BTreeSet};

use decider::{Area, Context, Timestamp};
use proto::{
    LogisticsEvent,
    logistics::v1::{self as pb, PhotoErasure, PhotoFormat},
    time::{or_epoch, to_proto},
};
use serde::{Deserialize, Serialize};

use super::{
    Freight, Rejection, Subject,
    carrier::Carrier,
    command::{ErasePhotos, ErasePhotosOfHousehold, StorePhoto},
    shipment::Shipment,
};
use crate::state::{Moment, State};

/// Photos of one shipment, those that were erased too.
pub const PHOTOS_MAX: usize = 50;
const DAY_MS: i64 = 24 * 3_600_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    pub content_sha256: Vec<u8>,
    /// Who uploaded it, whoever has the shipment by now.
    pub carrier_id: String,
    pub format: PhotoFormat,
    pub size_bytes: i64,
    pub delete_at: Timestamp,
    /// Empty where no household is to be seen in it.
    pub household_id: String,
    /// The same by an order, whose household may become known later.
    pub order_id: String,
    pub erased: Option<PhotoErasure>,
}

impl Photo {
    fn is(&self, carrier_id: &str, sha256: &[u8]) -> bool {
        self.carrier_id == carrier_id && self.content_sha256 == sha256
    }
}

/// Shipments by something of their area.
type Shipments = BTreeMap<(Area, String), BTreeSet<String>>;

/// What follows from the photos of all shipments.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// Shipments with a photo in which the household is to be seen.
    of_household: Shipments,
    /// The same by the order.
    of_order: Shipments,
    /// By content, how many there are that are to be kept.
    living: BTreeMap<Vec<u8>, usize>,
    /// Contents of which a photo was erased, all that there ever were.
    dead: BTreeSet<[u8; 32]>,
    /// Counts from the start of the process.
    erasures: u64,
}

impl Index {
    fn add(&mut self, area: &Area, shipment_id: &str, photo: &Photo) {
        match photo.erased {
            None => *self.living.entry(photo.content_sha256.clone()).or_default() += 1,
            Some(_) => self.dead.extend(hash(&photo.content_sha256)),
        }
        if photo.erased == Some(PhotoErasure::Household) {
            return;
        }
        for (shipments, id) in [
            (&mut self.of_household, &photo.household_id),
            (&mut self.of_order, &photo.order_id),
        ] {
            if !id.is_empty() {
                let shipments = shipments.entry((area.clone(), id.clone())).or_default();
                shipments.insert(shipment_id.to_owned());
            }
        }
    }

    fn end(&mut self, photo: &Photo) {
        if let Some(count) = self.living.get_mut(&photo.content_sha256) {
            *count -= 1;
            if *count == 0 {
                self.living.remove(&photo.content_sha256);
            }
        }
    }
}

impl Carrier {
    /// Bytes of the photos that it stored on the day of this time (UTC).
    #[must_use]
    pub const fn photo_bytes_on(&self, at: Timestamp) -> i64 {
        let (day, bytes) = self.photo_bytes;
        if day == at.0.div_euclid(DAY_MS) {
            bytes
        } else {
            0
        }
    }
}

impl Shipment {
    /// The firm's photo of this content, erased or not.
    #[must_use]
    pub fn photo(&self, carrier_id: &str, sha256: &[u8]) -> Option<&Photo> {
        self.photos.iter().find(|p| p.is(carrier_id, sha256))
    }
}

/// A photo that the firm has stored is not stored twice. One that was erased
/// may come again.
fn check(
    freight: &Freight,
    area: &Area,
    command: &StorePhoto,
    now: Timestamp,
) -> Result<bool, Rejection> {
    let shipment = freight.shipment_of(area, &command.shipment_id, &command.carrier_id)?;
    let accepted = shipment.accepted().is_some();
    shipment.must(accepted, "photos are those of an accepted shipment")?;
    let known = shipment.photo(&command.carrier_id, &command.content_sha256);
    if known.is_some_and(|photo| photo.erased.is_none()) {
        return Ok(false);
    }
    if let Some(order_id) = &command.order_id
        && !shipment.load.order_ids.contains(order_id)
    {
        return Err(Rejection::unknown(Subject::Order, order_id));
    }
    if known.is_none() && shipment.photos.len() >= PHOTOS_MAX {
        return Err(Rejection::ShipmentFull {
            shipment_id: command.shipment_id.clone(),
            what: "photos",
            most: PHOTOS_MAX,
        });
    }
    let carrier = freight.carrier_in(area, &command.carrier_id)?;
    let stored = carrier.photo_bytes_on(now);
    if stored.saturating_add(command.size_bytes) > command.quota_bytes {
        return Err(Rejection::PhotoQuota {
            carrier_id: command.carrier_id.clone(),
            stored,
            quota: command.quota_bytes,
        });
    }
    Ok(true)
}

pub(crate) fn store(
    freight: &Freight,
    command: &StorePhoto,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    if !check(freight, &context.area, command, context.now)? {
        return Ok(vec![]);
    }
    Ok(vec![
        pb::PhotoStored {
            shipment_id: command.shipment_id.clone(),
            carrier_id: command.carrier_id.clone(),
            content_sha256: command.content_sha256.to_vec(),
            format: command.format.into(),
            size_bytes: command.size_bytes,
            delete_time: Some(to_proto(command.delete_at)),
            household_id: command.household_id.clone().unwrap_or_default(),
            order_id: command.order_id.clone().unwrap_or_default(),
        }
        .into(),
    ])
}

pub(crate) fn stored(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PhotoStored) {
    let photo = Photo {
        content_sha256: event.content_sha256.clone(),
        carrier_id: event.carrier_id.clone(),
        format: event.format(),
        size_bytes: event.size_bytes,
        delete_at: or_epoch(event.delete_time.as_ref()),
        household_id: event.household_id.clone(),
        order_id: event.order_id.clone(),
        erased: None,
    };
    let mut index = std::mem::take(&mut freight.photos);
    freight.change(&event.shipment_id, moment, |shipment| {
        let same = |known: &Photo| known.is(&event.carrier_id, &event.content_sha256);
        for known in shipment.photos.iter().filter(|known| same(known)) {
            if known.erased.is_none() {
                index.end(known);
            }
        }
        shipment.photos.retain(|known| !same(known));
        index.add(&shipment.area, &shipment.shipment_id, &photo);
        shipment.photos.push(photo);
    });
    freight.photos = index;
    if let Some(carrier) = freight.carrier_mut(moment.area, &event.carrier_id) {
        let before = carrier.photo_bytes_on(moment.at);
        let day = moment.at.0.div_euclid(DAY_MS);
        carrier.photo_bytes = (day, before.saturating_add(event.size_bytes));
    }
}

/// Timer.
pub(crate) fn erase(
    freight: &Freight,
    command: &ErasePhotos,
    context: &Context,
) -> Result<Vec<LogisticsEvent>, Rejection> {
    let shipment = freight.shipment_in(&context.area, &command.shipment_id)?;
    let over = |photo: &&Photo| photo.erased.is_none() && photo.delete_at <= context.now;
    // Of the same content two firms may have one each.
    let over: BTreeMap<&[u8], ()> = shipment
        .photos
        .iter()
        .filter(over)
        .map(|photo| (&*photo.content_sha256, ()))
        .collect();
    let events = over.into_keys().map(|sha256| pb::PhotoErased {
        shipment_id: command.shipment_id.clone(),
        content_sha256: sha256.to_vec(),
        reason: PhotoErasure::Retention.into(),
    });
    Ok(events.map(LogisticsEvent::from).collect())
}

pub(crate) fn erased(freight: &mut Freight, moment: &Moment<'_>, event: &pb::PhotoErased) {
    end(freight, moment, &event.shipment_id, |photo| {
        let over = photo.content_sha256 == event.content_sha256 && photo.delete_at <= moment.at;
        over.then(|| event.reason())
    });
}

/// Ends those photos of a shipment that are kept and for which there is a
/// reason.
fn end(
    freight: &mut Freight,
    moment: &Moment<'_>,
    shipment_id: &str,
    reason: impl Fn(&Photo) -> Option<PhotoErasure>,
) {
    let mut index = std::mem::take(&mut freight.photos);
    freight.change(shipment_id, moment, |shipment| {
        for photo in &mut shipment.photos {
            if photo.erased.is_none()
                && let Some(reason) = reason(photo)
            {
                photo.erased = Some(reason);
                index.end(photo);
                index.dead.extend(hash(&photo.content_sha256));
                index.erasures += 1;
            }
        }
    });
    freight.photos = index;
}

/// Shipments with a photo in which the household is to be seen, and those of
/// its orders by which that is known.
fn seen(state: &State, area: &Area, household_id: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let index = &state.freight.photos;
    let key = (area.clone(), household_id.to_owned());
    let mut shipments = index.of_household.get(&key).cloned().unwrap_or_default();
    let mut orders = BTreeSet::new();
    for ((at, order_id), of_order) in &index.of_order {
        let parcel = state.parcel(area, order_id).filter(|_| at == area);
        if parcel.is_some_and(|parcel| parcel.household_id.as_str() == household_id) {
            orders.insert(order_id.clone());
            shipments.extend(of_order.iter().cloned());
        }
    }
    (shipments, orders)
}

/// Nothing where the household is in no photo.
pub(crate) fn erase_of_household(
    state: &State,
    command: &ErasePhotosOfHousehold,
    context: &Context,
) -> Vec<LogisticsEvent> {
    let (shipments, _) = seen(state, &context.area, &command.household_id);
    if shipments.is_empty() {
        return vec![];
    }
    vec![
        pb::HouseholdPhotosErased {
            household_id: command.household_id.clone(),
        }
        .into(),
    ]
}

pub(crate) fn erased_of_household(
    state: &mut State,
    moment: &Moment<'_>,
    event: &pb::HouseholdPhotosErased,
) {
    let (shipments, orders) = seen(state, moment.area, &event.household_id);
    let freight = &mut state.freight;
    for shipment_id in shipments {
        let Some(revision) = freight.shipments.get(&shipment_id).map(|s| s.revision) else {
            continue;
        };
        // The event is not of the shipment's stream.
        let unchanged = Moment {
            at: moment.at,
            area: moment.area,
            revision,
            position: moment.position,
        };
        end(freight, &unchanged, &shipment_id, |photo| {
            let own = photo.household_id == event.household_id || orders.contains(&photo.order_id);
            own.then_some(PhotoErasure::Household)
        });
    }
    let index = &mut freight.photos;
    let key = |id: &str| (moment.area.clone(), id.to_owned());
    index.of_household.remove(&key(&event.household_id));
    for order_id in &orders {
        index.of_order.remove(&key(order_id));
    }
}

impl Freight {
    /// The index follows from the photos and is not written with them.
    pub(crate) fn set_photos(&mut self) {
        let mut index = Index::default();
        for shipment in self.shipments.iter() {
            for photo in &shipment.photos {
                index.add(&shipment.area, &shipment.shipment_id, photo);
            }
        }
        self.photos = index;
    }
}

fn hash(bytes: &[u8]) -> Option<[u8; 32]> {
    bytes.try_into().ok()
}

/// For who keeps the files.
impl State {
    /// Rises with every photo that is erased; begins anew with the process.
    #[must_use]
    pub const fn photo_erasures(&self) -> u64 {
        self.freight.photos.erasures
    }

    /// Contents that are to be kept.
    #[must_use]
    pub fn living_photos(&self) -> BTreeSet<[u8; 32]> {
        let living = self.freight.photos.living.keys();
        living.filter_map(|bytes| hash(bytes)).collect()
    }

    #[must_use]
    pub fn has_living_photo(&self, content: &[u8; 32]) -> bool {
        self.freight.photos.living.contains_key(&content[..])
    }

    /// Contents of photos that were erased, all that there ever were. One that
    /// came again may be among them: see [`Self::living_photos`].
    #[must_use]
    pub fn dead_photos(&self) -> BTreeSet<[u8; 32]> {
        self.freight.photos.dead.clone()
    }

    /// Whether the photo may be stored; false where it is.
    ///
    /// # Errors
    /// As the command's.
    pub fn may_store(
        &self,
        area: &Area,
        command: &StorePhoto,
        now: Timestamp,
    ) -> Result<bool, Rejection> {
        check(&self.freight, area, command, now)
    }
}
