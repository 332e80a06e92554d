//! What a photo's first bytes say that it is.

use proto::logistics::v1::PhotoFormat;

/// Bytes that are looked at.
pub const HEAD_BYTES: usize = 12;

/// Whether so much of a photo's beginning can be of this format; told as soon
/// as it cannot.
pub fn can_be(format: PhotoFormat, head: &[u8]) -> bool {
    let begins = |wanted: &[u8]| {
        let known = wanted.len().min(head.len());
        head[..known] == wanted[..known]
    };
    match format {
        PhotoFormat::Jpeg => begins(&[0xff, 0xd8, 0xff]),
        PhotoFormat::Png => begins(b"\x89PNG\r\n\x1a\n"),
        PhotoFormat::Webp => {
            let kind = head.get(8..).unwrap_or_default();
            begins(b"RIFF") && kind == &b"WEBP"[..kind.len().min(4)]
        }
        PhotoFormat::Unspecified => false,
    }
}

/// The fewest bytes that show the format.
pub const fn least(format: PhotoFormat) -> usize {
    match format {
        PhotoFormat::Jpeg => 3,
        PhotoFormat::Png => 8,
        PhotoFormat::Webp | PhotoFormat::Unspecified => HEAD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JPEG: &[u8] = &[0xff, 0xd8, 0xff, 0xe0, 0, 16, b'J', b'F', b'I', b'F', 0, 1];
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\r";
    const WEBP: &[u8] = b"RIFF\x24\0\0\0WEBP";

    #[test]
    fn each_format_is_known_by_its_beginning_and_no_other() {
        let all = [
            (PhotoFormat::Jpeg, JPEG),
            (PhotoFormat::Png, PNG),
            (PhotoFormat::Webp, WEBP),
        ];
        for (format, _) in all {
            for (own, head) in all {
                assert_eq!(can_be(format, head), format == own, "{format:?} {own:?}");
            }
            assert!(!can_be(format, b"#!/bin/sh\n\n\n"));
            assert!(!can_be(format, b"<svg onload="));
        }
        assert!(!can_be(PhotoFormat::Unspecified, JPEG));
    }

    #[test]
    fn a_beginning_is_judged_as_far_as_it_goes() {
        for (format, head) in [
            (PhotoFormat::Jpeg, JPEG),
            (PhotoFormat::Png, PNG),
            (PhotoFormat::Webp, WEBP),
        ] {
            for bytes in 0..=head.len() {
                assert!(can_be(format, &head[..bytes]), "{format:?} {bytes}");
            }
            let mut wrong = head.to_vec();
            wrong[least(format) - 1] ^= 1;
            assert!(!can_be(format, &wrong));
        }
    }
}
