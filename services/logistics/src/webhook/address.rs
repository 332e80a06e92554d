//! Where a webhook may lead. A firm names an address that this service then
//! calls, from within the suite's network: so it may lead to the public
//! internet only, unless the operator says otherwise (server-side request
//! forgery). A name is looked at where it is resolved, for each connection,
//! since it may lead elsewhere by then.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

pub const URL_CHARS_MAX: usize = 500;

/// What is allowed beside public addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Private networks and everything else that is not public.
    pub private: bool,
    /// This machine.
    pub loopback: bool,
}

impl Policy {
    #[must_use]
    pub fn allows(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.private || is_public(address) || (self.loopback && address.is_loopback())
    }

    /// Reads an address that a firm names.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(self, text: &str) -> Result<Url, &'static str> {
        if text.chars().count() > URL_CHARS_MAX {
            return Err("is longer than 500 characters");
        }
        let url = Url::parse(text).map_err(|_| "is no URL, such as https://example.org/hook")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not have a user or a password: messages are signed instead");
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment (#)");
        }
        let host = url.host().ok_or("needs a host")?;
        let literal = match host {
            url::Host::Ipv4(address) => Some(IpAddr::V4(address)),
            url::Host::Ipv6(address) => Some(IpAddr::V6(address)),
            url::Host::Domain(_) => None,
        };
        if literal.is_some_and(|address| !self.allows(address)) {
            return Err("leads to an address that is not public, which is not allowed here");
        }
        let here = literal.is_some_and(|address| address.to_canonical().is_loopback());
        match url.scheme() {
            "https" => Ok(url),
            "http" if here => Ok(url),
            _ => Err("must begin with https://"),
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The special-purpose registries of IANA (RFC 6890).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        // Carriers' own, benchmarks, protocol assignments, 6to4 relays.
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b == 18 || b == 19))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99);
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let low = Ipv4Addr::from_bits((u32::from(segments[6]) << 16) | u32::from(segments[7]));
    match segments {
        // What carries an address of IPv4 leads where that leads: NAT64, 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, _, _] => is_public_v4(low),
        [0x2002, high, next, ..] => is_public_v4(Ipv4Addr::from_bits(
            (u32::from(high) << 16) | u32::from(next),
        )),
        // Teredo and other assignments, documentation.
        [0x2001, 0..0x200, ..] | [0x2001, 0xdb8, ..] => false,
        // Global unicast is 2000::/3 and nothing else.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names to what the policy allows.
pub struct Resolver(pub Policy);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found
                .filter(|address| policy.allows(address.ip()))
                .collect();
            if allowed.is_empty() {
                let message = "the name leads to no address that is allowed here";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, message).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC_ONLY: Policy = Policy {
        private: false,
        loopback: false,
    };

    #[test]
    fn only_public_addresses_are_public() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
        ] {
            let address: IpAddr = text.parse().expect(text);
            assert!(!PUBLIC_ONLY.allows(address), "{text}");
        }
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "2606:4700::1111",
            "64:ff9b::1.1.1.1",
            "::ffff:1.1.1.1",
        ] {
            let address: IpAddr = text.parse().expect(text);
            assert!(PUBLIC_ONLY.allows(address), "{text}");
        }
    }

    #[test]
    fn addresses_are_https_and_lead_out() {
        for good in [
            "https://example.org/hook",
            "https://example.org:8443/a?b=c",
            "https://1.1.1.1",
        ] {
            assert!(PUBLIC_ONLY.parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "http://example.org",
            "ftp://example.org",
            "https://",
            "https://user@example.org",
            "https://:word@example.org",
            "https://example.org/#a",
            "https://127.0.0.1",
            "https://[::1]",
            "https://2130706433",
            "https://0x7f.1",
            "https://[::ffff:10.0.0.1]",
            "http://127.0.0.1",
            "file:///etc/passwd",
        ] {
            assert!(PUBLIC_ONLY.parse(bad).is_err(), "{bad}");
        }
        let here = Policy {
            loopback: true,
            ..PUBLIC_ONLY
        };
        assert!(here.parse("http://127.0.0.1:8080/hook").is_ok());
        assert!(here.parse("http://10.0.0.1/hook").is_err());
        assert!(
            here.parse("http://localhost/hook").is_err(),
            "a name may lead anywhere"
        );
        let long = format!("https://example.org/{}", "x".repeat(500));
        assert!(PUBLIC_ONLY.parse(&long).is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_followed() {
        let name = || "localhost".parse::<Name>().expect("a name");
        let refused = Resolver(PUBLIC_ONLY).resolve(name()).await;
        assert!(refused.is_err());
        let here = Policy {
            loopback: true,
            ..PUBLIC_ONLY
        };
        assert!(Resolver(here).resolve(name()).await.is_ok());
    }
}
