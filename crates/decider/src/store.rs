//! Entities of which those that have come to rest are packed: a state keeps all
//! that there ever were, and hardly ever looks at most of them.
//!
//! One that moves is kept as it is. One that rests takes its bytes on a
//! [`Shelf`] (postcard, without a pointer or an allocation of its own) and its
//! id, and is unpacked for who asks for it. It may move again.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map},
    fmt,
    iter::Peekable,
    ops::Bound,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, DeserializeSeed, Error, SeqAccess, Unexpected, Visitor},
    ser::SerializeSeq,
};

use crate::{
    EntityId,
    shelf::{Place, Shelf},
};

/// What a [`Store`] keeps.
pub trait Rests: Clone + Serialize + DeserializeOwned {
    /// What is known of one that rests without unpacking it.
    type Glance: Copy;
    /// Never changes.
    fn id(&self) -> EntityId;
    /// None for one that moves.
    fn at_rest(&self) -> Option<Self::Glance>;
}

/// Entities by id.
pub struct Store<T: Rests> {
    moving: BTreeMap<EntityId, T>,
    resting: BTreeMap<EntityId, (T::Glance, Place)>,
    shelf: Shelf,
    /// Memory that is used again and again.
    packing: Vec<u8>,
}

/// One entity, not unpacked yet.
pub struct Found<'a, T: Rests> {
    store: &'a Store<T>,
    form: Form<'a, T>,
}

enum Form<'a, T: Rests> {
    Moving(&'a T),
    Resting(T::Glance, Place),
}

impl<'a, T: Rests> Found<'a, T> {
    /// None for one that moves.
    #[must_use]
    pub fn at_rest(&self) -> Option<T::Glance> {
        match self.form {
            Form::Moving(entity) => entity.at_rest(),
            Form::Resting(glance, _) => Some(glance),
        }
    }

    #[must_use]
    pub fn unpacked(&self) -> Cow<'a, T> {
        match self.form {
            Form::Moving(entity) => Cow::Borrowed(entity),
            Form::Resting(_, place) => Cow::Owned(self.store.unpack(place)),
        }
    }
}

impl<T: Rests> Default for Store<T> {
    fn default() -> Self {
        Self {
            moving: BTreeMap::new(),
            resting: BTreeMap::new(),
            shelf: Shelf::default(),
            packing: Vec::new(),
        }
    }
}

impl<T: Rests> Store<T> {
    #[must_use]
    pub fn find(&self, id: &EntityId) -> Option<Found<'_, T>> {
        let form = match self.moving.get(id) {
            Some(entity) => Form::Moving(entity),
            None => {
                let (glance, place) = *self.resting.get(id)?;
                Form::Resting(glance, place)
            }
        };
        Some(Found { store: self, form })
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<Cow<'_, T>> {
        self.find(&id.into()).map(|found| found.unpacked())
    }

    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.find(&id.into()).is_some()
    }

    /// One that moves; none where it rests, or where there is none.
    #[must_use]
    pub fn moving(&self, id: &str) -> Option<&T> {
        self.moving.get(&id.into())
    }

    /// Those that move and are behind the id `after`, in the order of their ids.
    pub fn moving_after(&self, after: Option<&str>) -> impl Iterator<Item = &T> {
        let behind = self.moving.range((bound(after), Bound::Unbounded));
        behind.map(|(_, entity)| entity)
    }

    /// All that are behind the id `after`, in the order of their ids.
    pub fn after(&self, after: Option<&str>) -> impl Iterator<Item = Found<'_, T>> {
        let from = (bound(after), Bound::Unbounded);
        Merged {
            moving: self.moving.range(from.clone()).peekable(),
            resting: self.resting.range(from).peekable(),
        }
        .map(|form| Found { store: self, form })
    }

    /// All, in the order of their ids; those that rest are unpacked one by one.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, T>> {
        self.after(None).map(|found| found.unpacked())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.moving.len() + self.resting.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what is not there yet.
    pub fn insert(&mut self, entity: T) {
        self.put(entity.id(), entity, None);
    }

    /// Changes anything but the id; none where there is no such entity.
    pub fn change<R>(&mut self, id: &str, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let id = EntityId::from(id);
        if let Some(entity) = self.moving.get_mut(&id) {
            let changed = change(entity);
            if entity.at_rest().is_some()
                && let Some(entity) = self.moving.remove(&id)
            {
                self.put(id, entity, None);
            }
            return Some(changed);
        }
        let (_, place) = *self.resting.get(&id)?;
        let mut entity = self.unpack(place);
        let changed = change(&mut entity);
        self.put(id, entity, Some(place));
        Some(changed)
    }

    /// Where it belongs by now: on the shelf, in its place of before where that
    /// is long enough, or with those that move. One that is too long for a shelf
    /// stays with these.
    fn put(&mut self, id: EntityId, entity: T, before: Option<Place>) {
        let rests = entity.at_rest().and_then(|glance| {
            let bytes = std::mem::take(&mut self.packing);
            let bytes = postcard::to_extend(&entity, bytes).ok()?;
            let place = self.shelve(&bytes, before);
            self.packing = bytes;
            self.packing.clear();
            Some((glance, place?))
        });
        match rests {
            Some(rests) => drop(self.resting.insert(id, rests)),
            None => {
                self.resting.remove(&id);
                self.moving.insert(id, entity);
            }
        }
    }

    fn shelve(&mut self, bytes: &[u8], before: Option<Place>) -> Option<Place> {
        match before {
            Some(place) => self.shelf.replace(place, bytes),
            None => self.shelf.put(bytes),
        }
    }

    fn unpack(&self, place: Place) -> T {
        let bytes = self.shelf.get(place);
        postcard::from_bytes(bytes).expect("what was packed, or checked on reading")
    }
}

fn bound(after: Option<&str>) -> Bound<EntityId> {
    after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.into()))
}

/// Both kinds in the order of their ids.
struct Merged<'a, T: Rests> {
    moving: Peekable<btree_map::Range<'a, EntityId, T>>,
    resting: Peekable<btree_map::Range<'a, EntityId, (T::Glance, Place)>>,
}

impl<'a, T: Rests> Iterator for Merged<'a, T> {
    type Item = Form<'a, T>;

    fn next(&mut self) -> Option<Form<'a, T>> {
        let moves = match (self.moving.peek(), self.resting.peek()) {
            (Some((moving, _)), Some((resting, _))) => moving < resting,
            (moving, _) => moving.is_some(),
        };
        if moves {
            let (_, entity) = self.moving.next()?;
            return Some(Form::Moving(entity));
        }
        let (_, (glance, place)) = self.resting.next()?;
        Some(Form::Resting(*glance, *place))
    }
}

/// Every entity in full, in the order of their ids.
impl<T: Rests + fmt::Debug> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// As a list of the entities' bytes (postcard), in the order of their ids: those
/// that rest are written as they lie there.
impl<T: Rests> Serialize for Store<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entities = serializer.serialize_seq(Some(self.len()))?;
        for found in self.after(None) {
            entities.serialize_element(&Written(found))?;
        }
        entities.end()
    }
}

struct Written<'a, T: Rests>(Found<'a, T>);

impl<T: Rests> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Found { store, form } = &self.0;
        match form {
            Form::Resting(_, place) => serializer.serialize_bytes(store.shelf.get(*place)),
            Form::Moving(entity) => {
                let bytes = postcard::to_stdvec(entity).map_err(serde::ser::Error::custom)?;
                serializer.serialize_bytes(&bytes)
            }
        }
    }
}

impl<'de, T: Rests> Deserialize<'de> for Store<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(All(Self::default()))
    }
}

struct All<T: Rests>(Store<T>);

impl<'de, T: Rests> Visitor<'de> for All<T> {
    type Value = Store<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of entities in the order of their ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entities: A) -> Result<Store<T>, A::Error> {
        let Self(mut store) = self;
        let mut last = None;
        while let Some(id) = entities.next_element_seed(Next(&mut store))? {
            if last.is_some_and(|last| last >= id) {
                return Err(A::Error::custom("an entity is not behind the one before"));
            }
            last = Some(id);
        }
        Ok(store)
    }
}

struct Next<'a, T: Rests>(&'a mut Store<T>);

impl<'de, T: Rests> DeserializeSeed<'de> for Next<'_, T> {
    type Value = EntityId;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<EntityId, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<T: Rests> Visitor<'_> for Next<'_, T> {
    type Value = EntityId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of an entity")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<EntityId, E> {
        let Ok((entity, [])) = postcard::take_from_bytes::<T>(bytes) else {
            return Err(E::invalid_value(Unexpected::Bytes(bytes), &self));
        };
        let id = entity.id();
        self.0.put(id.clone(), entity, None);
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Thing {
        id: String,
        rests: bool,
        words: Vec<String>,
    }

    impl Rests for Thing {
        type Glance = usize;

        fn id(&self) -> EntityId {
            (&*self.id).into()
        }

        fn at_rest(&self) -> Option<usize> {
            self.rests.then_some(self.words.len())
        }
    }

    fn thing(id: &str, rests: bool, words: &[&str]) -> Thing {
        Thing {
            id: id.into(),
            rests,
            words: words.iter().map(|&word| word.into()).collect(),
        }
    }

    fn things() -> [Thing; 5] {
        [
            thing("a", true, &["one", "two"]),
            thing("b", false, &[]),
            thing("c", false, &["three"]),
            thing("d", true, &[]),
            thing("e", false, &["four"]),
        ]
    }

    fn store() -> Store<Thing> {
        let mut store = Store::default();
        for thing in things() {
            store.insert(thing);
        }
        store
    }

    fn all(store: &Store<Thing>) -> Vec<Thing> {
        store.iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn each_is_found_as_it_was_whether_it_rests_or_moves() {
        let store = store();
        assert_eq!((store.len(), store.moving.len()), (5, 3));
        for thing in things() {
            assert_eq!(store.get(&thing.id).as_deref(), Some(&thing));
            assert_eq!(store.moving(&thing.id).is_some(), !thing.rests);
            let found = store.find(&thing.id()).expect("there");
            assert_eq!(found.at_rest(), thing.at_rest());
        }
        assert!(store.get("f").is_none() && !store.contains(""));
    }

    #[test]
    fn both_kinds_are_listed_together_in_order_from_any_id_on() {
        let store = store();
        let ids = |found: Vec<Cow<'_, Thing>>| -> String {
            found.iter().map(|thing| &*thing.id).collect()
        };
        for (after, expected) in [
            (None, "abcde"),
            (Some(""), "abcde"),
            (Some("a"), "bcde"),
            (Some("bb"), "cde"),
            (Some("d"), "e"),
            (Some("e"), ""),
        ] {
            let found = store.after(after).map(|found| found.unpacked());
            assert_eq!(ids(found.collect()), expected, "{after:?}");
        }
        let moving = store.moving_after(Some("b"));
        assert_eq!(
            moving.map(|thing| &*thing.id).collect::<Vec<_>>(),
            ["c", "e"]
        );
    }

    #[test]
    fn one_comes_to_rest_changes_there_and_moves_again() {
        let mut store = store();
        let mut expected = things();
        let mut change = |n: usize, rests: bool, words: &[&str]| {
            let new = thing(&things()[n].id, rests, words);
            let told = store.change(&new.id, |thing| {
                *thing = new.clone();
                thing.words.len()
            });
            assert_eq!(told, Some(words.len()));
            expected[n] = new;
            assert_eq!(all(&store), expected);
        };
        change(1, true, &["it", "rests"]);
        change(
            1,
            true,
            &["it", "rests", "and", "is", "longer", "by", "far"],
        );
        change(1, true, &[]);
        change(0, false, &["it", "moves"]);
        change(0, true, &["it", "rests", "again"]);
        change(2, false, &[]);
        assert_eq!(store.change("f", |_| ()), None);
    }

    #[test]
    fn what_is_too_long_for_a_shelf_is_kept_as_it_is() {
        let mut store = store();
        let long = "x".repeat(2 << 20);
        for rests in [true, false, true] {
            let long = thing("d", rests, &[&long]);
            store.change("d", |thing| *thing = long.clone());
            assert_eq!(store.get("d").as_deref(), Some(&long));
            assert_eq!(store.len(), 5);
        }
        store.change("d", |thing| thing.words.clear());
        assert_eq!(all(&store), things());
        assert_eq!(store.moving.len(), 3);
    }

    #[test]
    fn a_store_is_written_and_read_whatever_was_done_to_it_before() {
        let mut other = Store::default();
        for thing in things().into_iter().rev() {
            other.insert(Thing {
                rests: !thing.rests,
                words: vec!["another".into()],
                ..thing.clone()
            });
            other.change(&thing.id, |other| *other = thing.clone());
        }
        let bytes = postcard::to_stdvec(&store()).expect("written");
        assert_eq!(postcard::to_stdvec(&other).expect("written"), bytes);
        let read: Store<Thing> = postcard::from_bytes(&bytes).expect("read");
        assert_eq!(all(&read), things());
        assert_eq!(read.moving.len(), 3);
        assert_eq!(postcard::to_stdvec(&read).expect("written"), bytes);
    }

    #[test]
    fn other_bytes_are_no_store_and_no_panic() {
        let bytes = postcard::to_stdvec(&store()).expect("written");
        for end in 0..bytes.len() {
            assert!(postcard::from_bytes::<Store<Thing>>(&bytes[..end]).is_err());
        }
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0xFF;
            let _ = postcard::from_bytes::<Store<Thing>>(&other);
        }
        let [a, b, ..] = things().map(|thing| postcard::to_stdvec(&thing).expect("packed"));
        let behind = [&*a, &[0]].concat();
        for (entities, is_one) in [
            (vec![&a, &b], true),
            (vec![&b, &a], false),
            (vec![&a, &a], false),
            (vec![&behind], false),
        ] {
            let bytes = postcard::to_stdvec(&entities).expect("written");
            let read = postcard::from_bytes::<Store<Thing>>(&bytes);
            assert_eq!(read.is_ok(), is_one, "{entities:?}");
        }
    }
}
