//! The messages in a body, found without holding it: a byte that says whether
//! one is compressed, four bytes of length, and that many bytes (gRPC over
//! HTTP/2, "Length-Prefixed-Message").

const PREFIX_BYTES: usize = 5;

/// Where in the messages a body is.
#[derive(Debug, Default)]
pub(super) struct Frames {
    prefix: [u8; PREFIX_BYTES],
    /// Of the prefix, bytes that are there.
    have: usize,
    /// Of the message, bytes that are not there yet.
    left: usize,
    /// Messages that have begun.
    begun: u64,
}

/// What the prefix of a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begun {
    /// Its number, from 1.
    pub(super) number: u64,
    pub(super) compressed: bool,
    pub(super) length: usize,
}

impl Frames {
    /// Goes through the next part of the body; `begins` is told of every
    /// message that begins in it.
    pub(super) fn go<E>(
        &mut self,
        mut part: &[u8],
        mut begins: impl FnMut(Begun) -> Result<(), E>,
    ) -> Result<(), E> {
        while !part.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(part.len());
                self.left -= taken;
                part = &part[taken..];
                continue;
            }
            let taken = (PREFIX_BYTES - self.have).min(part.len());
            self.prefix[self.have..self.have + taken].copy_from_slice(&part[..taken]);
            self.have += taken;
            part = &part[taken..];
            if self.have == PREFIX_BYTES {
                self.have = 0;
                let [compressed, length @ ..] = self.prefix;
                self.left = u32::from_be_bytes(length) as usize;
                self.begun += 1;
                begins(Begun {
                    number: self.begun,
                    compressed: compressed != 0,
                    length: self.left,
                })?;
            }
        }
        Ok(())
    }

    /// Whether no message is half there.
    pub(super) const fn is_between(&self) -> bool {
        self.left == 0 && self.have == 0
    }

    pub(super) const fn begun(&self) -> u64 {
        self.begun
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn messages_are_found_however_the_body_comes() {
        let body = [
            &[0, 0, 0, 0, 3][..],
            b"abc",
            &[1, 0, 0, 0, 0],
            &[0, 0, 0, 1, 0],
        ]
        .concat();
        let body = [body, vec![7; 256]].concat();
        for size in [1, 2, 3, 5, 7, 300] {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for part in body.chunks(size) {
                let told = frames.go(part, |begun| {
                    found.push((begun.number, begun.compressed, begun.length));
                    Ok::<_, Infallible>(())
                });
                told.expect("infallible");
            }
            assert_eq!(found, [(1, false, 3), (2, true, 0), (3, false, 256)]);
            assert!(frames.is_between());
            let Ok(()) = frames.go(&[0], |_| Ok::<_, Infallible>(()));
            assert!(!frames.is_between(), "a torso");
        }
    }
}
