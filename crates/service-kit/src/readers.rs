//! The way of a request from bytes to a command, for tests that feed it
//! nonsense (`tests/parsers`, `tests/fuzz`): decoding and parsing as a handler
//! does them, without a service around. Not for use by services.

use access::Scope;
use decider::Service;
use tonic::Status;

use crate::{page::Page, status};

/// What became of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// They are no message.
    Undecodable,
    /// A message with fields that cannot be meant.
    Refused,
    Taken,
}

/// The full name of a request, and how it is read.
pub type Reader = (&'static str, fn(&[u8]) -> Read);

/// Decodes a request and gives it to its parser.
pub fn read<M: prost::Message + Default, T>(
    bytes: &[u8],
    parse: impl FnOnce(&M) -> Result<T, Status>,
) -> Read {
    match M::decode(bytes) {
        Err(_) => Read::Undecodable,
        Ok(message) => match parse(&message) {
            Ok(_) => Read::Taken,
            Err(refusal) => {
                // A refusal is said, whatever was in the request.
                let _ = refusal.into_http::<()>();
                Read::Refused
            }
        },
    }
}

/// The fields of a list's page.
///
/// # Errors
/// As [`Page::parse`].
pub fn page(service: Service, size: i32, token: &str) -> Result<Page, Status> {
    Page::parse(service, size, token, "list")
}

/// A request that is asked with an id and no more.
///
/// # Errors
/// NOT_FOUND: there is nothing here.
pub fn id(service: Service, field: &str, id: &str) -> Result<(), Status> {
    Err(status::not_found(service, "thing", field, id))
}

/// Takes the first byte for the choice of a reader.
pub fn feed(readers: &[Reader], bytes: &[u8]) -> Option<Read> {
    let (choice, bytes) = bytes.split_first()?;
    let (_, reader) = readers.get(usize::from(*choice) % readers.len())?;
    Some(reader(bytes))
}

/// As the guard looks at a request before its handler does.
pub fn scoped(scope: &Scope, bytes: &[u8]) -> bool {
    scope.check(bytes).is_ok()
}

/// A table of readers: `Request => parser`.
#[macro_export]
macro_rules! readers {
    ($($package:ident :: $request:ident => $parse:expr;)*) => {
        &[$((
            concat!("baogong.", stringify!($package), ".v1.", stringify!($request)),
            |bytes| $crate::readers::read::<proto::$package::v1::$request, _>(bytes, $parse),
        ),)*]
    };
}
