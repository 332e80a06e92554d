//! Pages (AIP-158): a token says where the next page begins and for which list
//! it was made; a token of another list or another filter is refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use decider::Service;
use prost::Message;
use tonic::{Code, Status};

use crate::status::status;

const DEFAULT: usize = 100;
const MAX: usize = 500;
/// Of a page's items; gRPC clients accept 4 MiB by default.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A page that was asked for.
#[derive(Debug)]
pub struct Page {
    pub size: usize,
    /// The last key of the page before; none for the first page.
    pub after: Option<String>,
    list: u32,
}

impl Page {
    /// `list` names the list and its filters, for example
    /// `ListOrders?state=3&household=H1`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a negative size, or a token that was not made
    /// for this list with these filters.
    pub fn parse(service: Service, size: i32, token: &str, list: &str) -> Result<Self, Status> {
        let list = crc32c::crc32c(list.as_bytes());
        let size = match usize::try_from(size) {
            Ok(0) => DEFAULT,
            Ok(size) => size.min(MAX),
            Err(_) => {
                return Err(status(
                    service,
                    Code::InvalidArgument,
                    "PAGE_SIZE_NEGATIVE",
                    format!("page_size is {size}; 0 (for {DEFAULT}) to {MAX} are possible"),
                ));
            }
        };
        let after = if token.is_empty() {
            None
        } else {
            Some(read(token, list).ok_or_else(|| {
                status(
                    service,
                    Code::InvalidArgument,
                    "PAGE_TOKEN_INVALID",
                    "page_token is not one that this list gave for these filters; begin again \
                     without one",
                )
            })?)
        };
        Ok(Self { size, after, list })
    }

    /// Cuts one page out of an ordered iterator that begins behind `after`;
    /// gives the page and the next token, empty on the last page.
    pub fn cut<T: Message>(
        &self,
        mut items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, String) {
        let mut page: Vec<T> = Vec::new();
        let mut bytes = 0;
        loop {
            let Some(item) = items.next() else {
                return (page, String::new());
            };
            bytes += item.encoded_len();
            // A page has at least one item, however large.
            if page.len() == self.size || (bytes > BYTES_MAX && !page.is_empty()) {
                break;
            }
            page.push(item);
        }
        let token = page.last().map_or_else(String::new, |last| {
            let mut bytes = self.list.to_be_bytes().to_vec();
            bytes.extend_from_slice(key(last).as_bytes());
            let sum = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&sum.to_be_bytes());
            URL_SAFE_NO_PAD.encode(bytes)
        });
        (page, token)
    }
}

fn read(token: &str, list: u32) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(body) != u32::from_be_bytes(*sum) {
        return None;
    }
    let (of, key) = body.split_first_chunk::<4>()?;
    if u32::from_be_bytes(*of) != list {
        return None;
    }
    String::from_utf8(key.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: i32, token: &str, list: &str) -> Result<Page, Status> {
        Page::parse(Service::Order, size, token, list)
    }

    #[test]
    fn pages_follow_one_another_and_end() {
        let all: Vec<String> = (0..5).map(|n| format!("k{n}")).collect();
        let mut token = String::new();
        let mut seen = Vec::new();
        loop {
            let page = page(2, &token, "List").expect("a page");
            let rest = all
                .iter()
                .filter(|k| page.after.as_ref().is_none_or(|after| *k > after))
                .cloned();
            let (items, next) = page.cut(rest, Clone::clone);
            seen.extend(items);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_token_from_elsewhere_is_refused() {
        let (_, token) = page(1, "", "ListOrders")
            .expect("a page")
            .cut(["a", "b"].into_iter().map(str::to_owned), Clone::clone);
        for (token, list) in [(token.as_str(), "ListRuns"), ("nonsense", "ListOrders")] {
            let status = page(1, token, list).expect_err("refused");
            assert_eq!(status.code(), Code::InvalidArgument);
        }
    }
}
