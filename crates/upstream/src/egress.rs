//! The egress guard: connections to addresses that a caller, a document or an editable object chose.
//!
//! A name is resolved once, every address it has is checked, and the connection goes to the address that was checked: a
//! name that answers differently the second time leads nowhere else. Redirects are never followed, because nothing in this
//! crate follows any.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use gatehouse_domain::Origin;

/// Where a connection may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Egress {
    /// Anywhere: the configuration file says where, and who writes the file owns the machine.
    #[default]
    Trusted,
    /// To public addresses only.
    Public,
}

/// Names under which clouds answer with credentials, whatever they resolve to.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];

/// The addresses of an origin, each of them checked.
///
/// # Errors
/// `PermissionDenied` if the name, or any of its addresses, is none that may be called.
pub(crate) async fn resolve(origin: &Origin) -> Result<Vec<SocketAddr>, io::Error> {
    let host = origin.host.trim_end_matches('.').to_ascii_lowercase();
    if METADATA_NAMES.contains(&host.as_str()) {
        return Err(refused());
    }
    // An address written as one is looked up like a name: no spelling of it goes another way.
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), origin.port)).await?.collect();
    if addresses.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    if addresses.iter().any(|address| !is_public(address.ip())) {
        return Err(refused());
    }
    Ok(addresses)
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, "the address is private, local or reserved")
}

/// May anybody on the internet be meant by this address? Addresses that carry another one inside are judged by both.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's special-purpose blocks: address and prefix length.
const V4_BLOCKED: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !V4_BLOCKED.iter().any(|(block, prefix)| (bits ^ u32::from(*block)) >> (32 - prefix) == 0)
}

/// Blocks of IPv6 that lead nowhere public, Teredo (in 2001::/23), 6to4 and NAT64 included: tunnels can end anywhere.
const V6_BLOCKED: [(Ipv6Addr, u32); 12] = [
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8),
];

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let bits = u128::from(address);
    !V6_BLOCKED.iter().any(|(block, prefix)| (bits ^ u128::from(*block)) >> (128 - prefix) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_local_and_reserved_addresses_are_not_public_in_any_spelling() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for address in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn names_of_metadata_services_and_of_this_machine_are_refused() {
        for host in ["metadata.google.internal", "METADATA.google.internal.", "localhost", "127.1", "::1"] {
            let origin = Origin { tls: false, host: host.into(), port: 80 };
            let refused = resolve(&origin).await.unwrap_err();
            assert!(matches!(refused.kind(), io::ErrorKind::PermissionDenied), "{host}: {refused}");
        }
    }
}
