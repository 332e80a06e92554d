//! What belongs to a household in few bytes: a state has a hundred thousand of
//! them. Each is written as the message that it stands for.

use std::{fmt, sync::Arc};

use decider::packed::{put_bytes, put_text, take_bytes, take_text};
use proto::types::v1::{Door, Need, Sealed};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The codes of a door; shared by a household and its orders.
#[derive(Clone, PartialEq, Eq)]
pub struct DoorCodes(Arc<[u8]>);

impl DoorCodes {
    #[must_use]
    pub fn community(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    #[must_use]
    pub fn grid(&self) -> &str {
        self.parts().nth(1).unwrap_or_default()
    }

    #[must_use]
    pub fn to_door(&self) -> Door {
        let mut parts = self.parts().map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Door {
            community: next(),
            grid: next(),
            building: next(),
            entrance: next(),
            door: next(),
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parts that are not there are empty, whatever the bytes are.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || take_text(&mut rest))
    }
}

/// From the largest to the smallest.
fn parts(door: &Door) -> [&str; 5] {
    [
        &door.community,
        &door.grid,
        &door.building,
        &door.entrance,
        &door.door,
    ]
}

impl From<&Door> for DoorCodes {
    fn from(door: &Door) -> Self {
        let mut bytes = Vec::with_capacity(parts(door).iter().map(|part| part.len() + 2).sum());
        for part in parts(door) {
            put_text(&mut bytes, part);
        }
        Self(bytes.into())
    }
}

impl Default for DoorCodes {
    fn default() -> Self {
        Self::from(&Door::default())
    }
}

impl PartialEq<Door> for DoorCodes {
    fn eq(&self, other: &Door) -> bool {
        let mut rest = &*self.0;
        let own = std::iter::from_fn(|| take_bytes(&mut rest));
        own.eq(parts(other).map(str::as_bytes))
    }
}

impl fmt::Debug for DoorCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_door().fmt(f)
    }
}

impl Serialize for DoorCodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_door().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for DoorCodes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Door::deserialize(deserializer).map(|door| Self::from(&door))
    }
}

/// A contact as it was sealed: its key's id, the nonce, the ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedContact(Box<[u8]>);

impl SealedContact {
    #[must_use]
    pub fn key_id(&self) -> &str {
        take_text(&mut &*self.0).unwrap_or_default()
    }

    #[must_use]
    pub fn to_sealed(&self) -> Sealed {
        let mut rest = &*self.0;
        Sealed {
            key_id: take_text(&mut rest).unwrap_or_default().to_owned(),
            nonce: take_bytes(&mut rest).unwrap_or_default().to_vec(),
            ciphertext: rest.to_vec(),
        }
    }
}

impl From<&Sealed> for SealedContact {
    fn from(sealed: &Sealed) -> Self {
        let lengths = sealed.key_id.len() + sealed.nonce.len() + sealed.ciphertext.len();
        let mut bytes = Vec::with_capacity(lengths + 4);
        put_text(&mut bytes, &sealed.key_id);
        put_bytes(&mut bytes, &sealed.nonce);
        bytes.extend_from_slice(&sealed.ciphertext);
        Self(bytes.into())
    }
}

impl PartialEq<Sealed> for SealedContact {
    fn eq(&self, other: &Sealed) -> bool {
        let other = Self::from(other);
        self.0 == other.0
    }
}

impl fmt::Debug for SealedContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sealed().fmt(f)
    }
}

impl Serialize for SealedContact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_sealed().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SealedContact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sealed::deserialize(deserializer).map(|sealed| Self::from(&sealed))
    }
}

/// A set of needs: one bit for each, by number.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs(u32);

impl Needs {
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// By number.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        (0..32)
            .filter(move |number| self.0 >> number & 1 == 1)
            .filter_map(|number| Need::try_from(number).ok())
    }
}

impl FromIterator<Need> for Needs {
    fn from_iter<I: IntoIterator<Item = Need>>(needs: I) -> Self {
        Self(needs.into_iter().fold(0, |all, need| all | bit(need)))
    }
}

/// A test sees that every need has one.
const fn bit(need: Need) -> u32 {
    1 << need as u32
}

impl fmt::Debug for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Serialize for Needs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.iter().collect::<Vec<_>>().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Needs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Need>::deserialize(deserializer).map(|needs| needs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(parts: [&str; 5]) -> Door {
        let [community, grid, building, entrance, door] = parts.map(str::to_owned);
        Door {
            community,
            grid,
            building,
            entrance,
            door,
        }
    }

    #[test]
    fn a_door_comes_back_as_it_was() {
        let long = "门".repeat(300);
        let doors = [
            door([""; 5]),
            door(["C01", "G02", "B03", "E4", "501"]),
            door(["C01G02", "", "B03", "E4", "501"]),
            door([&long, "", &long, "", ""]),
        ];
        for one in &doors {
            let codes = DoorCodes::from(one);
            assert_eq!(codes.to_door(), *one);
            assert_eq!(
                (codes.community(), codes.grid()),
                (&*one.community, &*one.grid)
            );
            assert_eq!(written(&codes), written(one));
            for other in &doors {
                assert_eq!(codes == *other, one == other);
                let others = DoorCodes::from(other);
                assert_eq!(codes == others, one == other);
            }
        }
        assert_eq!(DoorCodes::default(), Door::default());
    }

    #[test]
    fn a_contact_comes_back_as_it_was() {
        let sealed = |key_id: &str, nonce: usize, ciphertext: usize| Sealed {
            key_id: key_id.to_owned(),
            nonce: vec![7; nonce],
            ciphertext: vec![7; ciphertext],
        };
        let all = [
            sealed("", 0, 0),
            sealed("household/632725100/H1", 12, 90),
            sealed("household/632725100/H1", 90, 12),
            sealed(&"钥".repeat(100), 200, 70_000),
        ];
        for one in &all {
            let contact = SealedContact::from(one);
            assert_eq!(contact.to_sealed(), *one);
            assert_eq!(contact.key_id(), one.key_id);
            assert_eq!(written(&contact), written(one));
            for other in &all {
                assert_eq!(contact == *other, one == other);
            }
        }
    }

    #[test]
    fn every_need_has_a_bit_of_its_own() {
        let known: Vec<Need> = (-1..10_000)
            .filter_map(|n| Need::try_from(n).ok())
            .collect();
        assert!(known.iter().all(|need| (0..32).contains(&i32::from(*need))));
        let needs: Needs = known.iter().rev().chain(&known).copied().collect();
        assert_eq!(needs.iter().collect::<Vec<_>>(), known);
        assert_eq!((needs.len(), needs.is_empty()), (known.len(), false));
        assert!(Needs::default().is_empty());
        assert_eq!(written(&needs), written(&known));
    }

    fn written(value: &impl Serialize) -> Vec<u8> {
        postcard::to_stdvec(value).expect("it can be written")
    }
}
