//! Where the claims of verified tokens are in a request's metadata.

/// The filter that verifies tokens; in the metadata its claims are below this name.
pub const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// Where Istio has the claims below that: one place for all issuers.
pub const PAYLOAD: &str = "payload";

/// Where the claims of verified tokens are, other than in [`PAYLOAD`]: Envoy Gateway has them under the name of the token's provider.
/// In alphabetical order; only tokens that have been verified are there.
///
/// It is read from all of a request's metadata, a message `envoy.config.core.v3.Metadata`. Envoy can list the names alone in its
/// format for pairs, but not where any claim is null.
pub fn providers(metadata: &[u8]) -> Vec<String> {
    let verified = entries(metadata).filter(|(filter, _)| *filter == JWT_AUTHN.as_bytes());
    let names = verified.flat_map(|(_, claims)| entries(claims)).map(|(name, _)| name);
    let names = names.filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| *name != PAYLOAD);
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

/// The entries of a map, which is the first field of a message: the keys, and the values as messages.
fn entries(message: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    const KEY: u8 = 1;
    const VALUE: u8 = 2;
    fields(message, 1)
        .filter_map(|entry| Some((fields(entry, KEY).next()?, fields(entry, VALUE).next().unwrap_or_default())))
}

/// The fields of a message in protobuf's format that have this number. All its fields up to them have a length.
fn fields(message: &[u8], number: u8) -> impl Iterator<Item = &[u8]> {
    const HAS_LENGTH: u8 = 2;
    let mut rest = message;
    let fields = std::iter::from_fn(move || {
        let (&tag, after) = rest.split_first()?;
        let (length, after) = varint(after)?;
        let (value, after) = after.split_at_checked(length).filter(|_| tag & 7 == HAS_LENGTH)?;
        rest = after;
        Some((tag >> 3, value))
    });
    fields.filter(move |(known, _)| *known == number).map(|(_, value)| value)
}

/// A number in seven bits a byte, the lowest first, and what follows it.
fn varint(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let size = bytes.iter().position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at_checked(size + 1)?;
    // A length has 32 bits.
    let sum = number.iter().rev().fold(0_u64, |sum, byte| sum << 7 | u64::from(byte & 0x7f));
    Some((usize::try_from(sum).ok().filter(|_| size < 5)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field with a length, in protobuf's format.
    fn field(number: u8, value: &[u8]) -> Vec<u8> {
        let (low, high) = (value.len() as u8 | 0x80, (value.len() >> 7) as u8);
        [&[number << 3 | 2, low, high][..], value].concat()
    }

    fn entry(key: &str, value: &[u8]) -> Vec<u8> {
        field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
    }

    #[test]
    fn the_names_of_providers_are_found_in_the_metadata() {
        // Claims that are null, a number and a long string.
        let claims =
            [entry("a", &[8, 0]), entry("n", &[17, 0, 0, 0, 0, 0, 0, 0, 0]), entry("s", &field(3, &[b'x'; 300]))];
        let verified = |names: &[&str]| {
            entry(JWT_AUTHN, &names.iter().flat_map(|name| entry(name, &claims.concat())).collect::<Vec<_>>())
        };
        let table: &[(Vec<u8>, &[&str])] = &[
            (Vec::new(), &[]),
            (verified(&["keycloak"]), &["keycloak"]),
            (verified(&["payload"]), &[]),
            (verified(&["b", "payload", "a"]), &["a", "b"]),
            (entry("envoy.filters.http.rbac", &entry("keycloak", &[])), &[]),
            ([entry("a", &[]), verified(&["b"]), field(2, b"typed")].concat(), &["b"]),
            // Other types of fields, and a length of more than 32 bits.
            ([vec![8, 1], verified(&["keycloak"])].concat(), &[]),
            ([vec![8, 0], verified(&["keycloak"])].concat(), &[]),
            ([vec![18, 0x80, 0x80, 0x80, 0x80, 0], verified(&["keycloak"])].concat(), &["keycloak"]),
            ([vec![18, 0x80, 0x80, 0x80, 0x80, 0x80, 0], verified(&["keycloak"])].concat(), &[]),
            (vec![10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[]),
            (vec![10], &[]),
        ];
        for (metadata, expected) in table {
            assert_eq!(providers(metadata), *expected, "{metadata:?}");
        }
        let whole = verified(&["keycloak"]);
        for length in 0..whole.len() {
            assert_eq!(providers(&whole[..length]), [] as [&str; 0], "cut off after {length}");
        }
    }
}
