//! Messages read field by field where they lie, as long as they are written as
//! prost writes them: known fields, in the order of their numbers. Whoever
//! finds them written otherwise asks the general decoder.
//!
//! Wire format: <https://protobuf.dev/programming-guides/encoding/>.

use std::ops::Range;

/// Where in the bytes a text lies.
pub(crate) type Span = Range<usize>;

/// What is left of a message whose fields come in the order of their numbers,
/// all below 16, so that a key is one byte.
pub(crate) struct Fields<'a> {
    /// Up to the message's end; a message that lies in another begins inside.
    bytes: &'a [u8],
    at: usize,
}

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

impl<'a> Fields<'a> {
    #[inline]
    pub(crate) const fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    pub(crate) const fn end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// No text, between what was read and what comes next.
    pub(crate) const fn nothing(&self) -> Span {
        self.at..self.at
    }

    /// The bytes that were not read yet.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// The number of the field that comes next; none at the end.
    #[inline]
    pub(crate) fn next(&self) -> Option<u8> {
        self.bytes.get(self.at).map(|key| key >> 3)
    }

    /// Takes the key of a field, if it comes next.
    #[inline]
    fn key(&mut self, field: u8, wire_type: u8) -> bool {
        let is_next = self.bytes.get(self.at) == Some(&(field << 3 | wire_type));
        self.at += usize::from(is_next);
        is_next
    }

    /// 0 where it is absent.
    #[inline]
    pub(crate) fn number(&mut self, field: u8) -> Option<u64> {
        if self.key(field, VARINT) {
            self.varint()
        } else {
            Some(0)
        }
    }

    #[inline]
    pub(crate) fn small(&mut self, field: u8) -> Option<u32> {
        self.number(field)?.try_into().ok()
    }

    /// Empty, and here, where it is absent.
    #[inline]
    pub(crate) fn span(&mut self, field: u8) -> Option<Span> {
        if !self.key(field, LENGTH_DELIMITED) {
            return Some(self.nothing());
        }
        let length = usize::try_from(self.varint()?).ok()?;
        let start = self.at;
        self.at = start.checked_add(length)?;
        (self.at <= self.bytes.len()).then_some(start..self.at)
    }

    /// Empty where it is absent.
    #[inline]
    pub(crate) fn bytes(&mut self, field: u8) -> Option<&'a [u8]> {
        let span = self.span(field)?;
        self.bytes.get(span)
    }

    /// The message that a field holds; its spans are those of the whole. None
    /// where it is absent.
    #[inline]
    pub(crate) fn message(&mut self, field: u8) -> Option<Self> {
        let key = field << 3 | LENGTH_DELIMITED;
        (self.bytes.get(self.at) == Some(&key)).then(|| self.message_or_empty(field))?
    }

    #[inline]
    pub(crate) fn message_or_empty(&mut self, field: u8) -> Option<Self> {
        let Span { start, end } = self.span(field)?;
        Some(Self {
            bytes: &self.bytes[..end],
            at: start,
        })
    }

    /// Lengths and small numbers are one byte.
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let first = *self.bytes.get(self.at)?;
        if first < 0x80 {
            self.at += 1;
            return Some(u64::from(first));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Option<u64> {
        let mut value = 0;
        let mut at = self.at;
        for shift in (0..64).step_by(7) {
            let byte = *self.bytes.get(at)?;
            at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.at = at;
                // The tenth byte has room for one bit.
                return (shift < 63 || byte < 2).then_some(value);
            }
        }
        None
    }
}

/// Texts that lie one behind the other. What is between them is mostly text as
/// well, and one look over all of it is far quicker than one at each.
pub(crate) fn texts<const N: usize>(bytes: &[u8], spans: [Span; N]) -> Option<[&str; N]> {
    let (start, end) = (spans.first()?.start, spans.last()?.end);
    let mut texts = [""; N];
    if let Ok(together) = std::str::from_utf8(bytes.get(start..end)?) {
        for (text, span) in texts.iter_mut().zip(spans) {
            // Where a span begins or ends within a character, it is no text.
            *text = together.get(span.start - start..span.end - start)?;
        }
    } else {
        for (text, span) in texts.iter_mut().zip(spans) {
            *text = std::str::from_utf8(&bytes[span]).ok()?;
        }
    }
    Some(texts)
}
