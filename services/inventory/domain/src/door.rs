//! The order of the doors: community, grid, building, entrance, door, with
//! numbers inside the codes compared as numbers, so that "9" is before "10".

use std::sync::Arc;

use proto::types::v1::Door;

/// A text whose plain order is the order of the doors. Kept in memory only.
pub(crate) fn sort_key(door: Option<&Door>) -> Arc<str> {
    let mut key = String::new();
    if let Some(door) = door {
        for code in [
            &door.community,
            &door.grid,
            &door.building,
            &door.entrance,
            &door.door,
        ] {
            push_natural(&mut key, code);
            // "09" and "9" are equal numbers: the code itself decides.
            key.push('\u{1}');
            key.push_str(code);
            key.push('\u{0}');
        }
    }
    key.into()
}

/// A run of digits becomes `0`, its length, the digits without leading zeros.
fn push_natural(key: &mut String, code: &str) {
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        if first.is_ascii_digit() {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            let digits = rest[..end].trim_start_matches('0');
            let length = u32::try_from(digits.len()).unwrap_or(u32::MAX).min(1000);
            key.push('0');
            key.push(char::from_u32(u32::from('0') + length).unwrap_or(char::MAX));
            key.push_str(digits);
            rest = &rest[end..];
        } else {
            key.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(text: &str) -> Door {
        let mut parts = text.split('/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        Door {
            community: next(),
            grid: next(),
            building: next(),
            entrance: next(),
            door: next(),
        }
    }

    #[test]
    fn doors_sort_as_people_walk() {
        let walked = [
            "a/G9/B1/E1/101",
            "a/G10/B2/E1/9",
            "a/G10/B2/E1/9a",
            "a/G10/B2/E1/10",
            "a/G10/B2/E2/1",
            "a/G10/B02/E1/1",
            "a/G10/B10/E1/1",
            "b/G1/B1/E1/1",
        ];
        // Equal numbers, different codes: B02 is a building of its own.
        let mut sorted = walked;
        sorted.sort_by_key(|text| sort_key(Some(&door(text))));
        let position = |text: &str| sorted.iter().position(|t| *t == text);
        assert_eq!(position("a/G10/B02/E1/1"), Some(1));
        let without: Vec<_> = sorted.into_iter().filter(|t| !t.contains("B02")).collect();
        let expected: Vec<_> = walked.into_iter().filter(|t| !t.contains("B02")).collect();
        assert_eq!(without, expected);
    }

    #[test]
    fn any_text_has_a_key() {
        for text in ["", "名/栋１", "000/0/00", &"9".repeat(5000)] {
            let _ = sort_key(Some(&door(text)));
        }
        assert_eq!(&*sort_key(None), "");
    }
}
