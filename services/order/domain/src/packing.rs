//! The bytes of an order: in the memory of a state that keeps it packed, and in
//! its snapshot. Without its id, which is beside them.
//!
//! In this order, numbers as in [`decider::packed`]: the numbers of its area, of
//! its household, of who placed it and of the reason, that of its group buy plus
//! one (0 where there is none); its state, channel, flags, deliveries and
//! revision; the time of its placing, that of its last change and, where the
//! flags say so, of its delivery, both as what was added to the first; its own
//! door, where the flags say so, and its lines, both with their length; up to
//! the end what was short.

use decider::{
    Revision, Timestamp,
    packed::{put_bytes, put_number, put_signed, take_bytes, take_number, take_signed},
};
use proto::order::v1::{Channel, OrderState};

use crate::order::Order;

const RELEASED: u64 = 1;
const CONFIRMED: u64 = 2;
const DELIVERED: u64 = 4;
const OWN_DOOR: u64 = 8;

/// Stand for what many orders have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub area: u32,
    pub household: u32,
    pub placed_by: u32,
    pub reason: u32,
    pub group_buy: Option<u32>,
}

impl Numbers {
    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        for number in [self.area, self.household, self.placed_by, self.reason] {
            put_number(bytes, number.into());
        }
        put_number(
            bytes,
            self.group_buy.map_or(0, |number| u64::from(number) + 1),
        );
    }

    pub(crate) fn take(bytes: &mut &[u8]) -> Option<Self> {
        let mut next = || take_number(bytes);
        let mut number = || u32::try_from(next()?).ok();
        let (area, household, placed_by, reason) = (number()?, number()?, number()?, number()?);
        let group_buy = match next()? {
            0 => None,
            more => Some(u32::try_from(more - 1).ok()?),
        };
        Some(Self {
            area,
            household,
            placed_by,
            reason,
            group_buy,
        })
    }
}

/// An order as it is in its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Packed<'a> {
    pub numbers: Numbers,
    pub state: OrderState,
    pub channel: Channel,
    pub released: bool,
    pub confirmed: bool,
    pub deliveries: u32,
    pub revision: Revision,
    pub placed: Timestamp,
    pub updated: Timestamp,
    pub delivered: Option<Timestamp>,
    /// None where it is that of the household's other orders.
    pub door: Option<&'a [u8]>,
    pub lines: &'a [u8],
    pub short: &'a [u8],
}

impl<'a> Packed<'a> {
    pub(crate) fn of(order: &'a Order, numbers: Numbers, own_door: bool) -> Self {
        Self {
            numbers,
            state: order.state,
            channel: order.channel,
            released: order.released,
            confirmed: order.confirmed,
            deliveries: order.deliveries,
            revision: order.revision,
            placed: order.placed,
            updated: order.updated,
            delivered: order.delivered,
            door: own_door.then(|| order.door.as_bytes()),
            lines: order.lines.as_bytes(),
            short: order.short.as_bytes(),
        }
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        self.numbers.put(bytes);
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        let flags = flag(self.released, RELEASED)
            | flag(self.confirmed, CONFIRMED)
            | flag(self.delivered.is_some(), DELIVERED)
            | flag(self.door.is_some(), OWN_DOOR);
        put_signed(bytes, i32::from(self.state).into());
        put_signed(bytes, i32::from(self.channel).into());
        put_number(bytes, flags);
        put_number(bytes, self.deliveries.into());
        put_number(bytes, self.revision.0);
        put_signed(bytes, self.placed.0);
        for later in [Some(self.updated), self.delivered].into_iter().flatten() {
            put_signed(bytes, later.0.wrapping_sub(self.placed.0));
        }
        for part in [self.door, Some(self.lines)].into_iter().flatten() {
            put_bytes(bytes, part);
        }
        bytes.extend_from_slice(self.short);
    }

    /// None where the bytes are not an order.
    pub(crate) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let rest = &mut bytes;
        let numbers = Numbers::take(rest)?;
        let state = OrderState::try_from(i32::try_from(take_signed(rest)?).ok()?).ok()?;
        let channel = Channel::try_from(i32::try_from(take_signed(rest)?).ok()?).ok()?;
        let flags = take_number(rest)?;
        let deliveries = u32::try_from(take_number(rest)?).ok()?;
        let revision = Revision(take_number(rest)?);
        let placed = take_signed(rest)?;
        let mut later = || Some(Timestamp(placed.wrapping_add(take_signed(rest)?)));
        let updated = later()?;
        let delivered = match flags & DELIVERED {
            0 => None,
            _ => Some(later()?),
        };
        let door = match flags & OWN_DOOR {
            0 => None,
            _ => Some(take_bytes(rest)?),
        };
        let lines = take_bytes(rest)?;
        Some(Self {
            numbers,
            state,
            channel,
            released: flags & RELEASED != 0,
            confirmed: flags & CONFIRMED != 0,
            deliveries,
            revision,
            placed: Timestamp(placed),
            updated,
            delivered,
            door,
            lines,
            short: bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: Numbers = Numbers {
        area: 0,
        household: u32::MAX,
        placed_by: 300,
        reason: 1,
        group_buy: None,
    };
    const ORDER: Packed<'_> = Packed {
        numbers: NUMBERS,
        state: OrderState::Cancelled,
        channel: Channel::Door,
        released: true,
        confirmed: false,
        deliveries: 0,
        revision: Revision(4),
        placed: Timestamp(1_650_000_000_000),
        updated: Timestamp(1_650_000_360_000),
        delivered: None,
        door: None,
        lines: &[1, 2, 3],
        short: &[],
    };

    fn orders() -> [Packed<'static>; 4] {
        let far = Timestamp(i64::MIN);
        let numbers = Numbers {
            group_buy: Some(u32::MAX),
            ..NUMBERS
        };
        [
            ORDER,
            Packed {
                numbers,
                door: Some(&[9; 200]),
                short: &[4, 5],
                ..ORDER
            },
            Packed {
                delivered: Some(Timestamp(i64::MAX)),
                placed: far,
                lines: &[],
                confirmed: true,
                ..ORDER
            },
            Packed {
                deliveries: u32::MAX,
                revision: Revision(u64::MAX),
                updated: far,
                door: Some(&[]),
                ..ORDER
            },
        ]
    }

    #[test]
    fn an_order_comes_back_as_it_was() {
        for order in orders() {
            let mut bytes = Vec::new();
            order.put(&mut bytes);
            assert_eq!(Packed::read(&bytes), Some(order));
        }
    }

    #[test]
    fn other_bytes_are_no_panic() {
        for order in orders() {
            let mut bytes = Vec::new();
            order.put(&mut bytes);
            for at in 0..bytes.len() {
                let _ = Packed::read(&bytes[..at]);
                let mut other = bytes.clone();
                other[at] ^= 0xFF;
                let _ = Packed::read(&other);
            }
        }
        assert_eq!(Packed::read(&[]), None);
    }
}
