//! Claims of a token that the gateway has verified.
//!
//! Envoy's `jwt_authn` filter leaves them in the request's metadata, where each has a path. Envoy hands over a string as it
//! is (an empty one is absent), and a list of strings in its format for pairs.

/// The filter that verifies tokens; in the metadata its claims are below this name.
pub const JWT_AUTHN: &str = "envoy.filters.http.jwt_authn";

/// Where Istio has the claims below that: one place for all issuers.
pub const PAYLOAD: &str = "payload";

/// The path of a claim: the names of nested objects, the index of a list's item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<String>);

impl ClaimPath {
    /// Reads it as Istio reads what follows `@request.auth.claims`: `realm.role`, or `[https://example.com/role][name]` where
    /// names have dots.
    ///
    /// # Errors
    ///
    /// The error in the text.
    pub fn parse(text: &str) -> Result<ClaimPath, &'static str> {
        let is_bracketed = text.starts_with('[');
        let (text, end) = match is_bracketed {
            true => (text.strip_suffix(']').ok_or("begins with [ and does not end with ]")?, ']'),
            false => (text, '.'),
        };
        // A name that should begin with a bracket and does not keeps the one before it, and is refused for that.
        let name =
            |name: &str| if is_bracketed { name.strip_prefix('[').unwrap_or("]").to_owned() } else { name.to_owned() };
        let names: Vec<String> = text.split(end).map(name).collect();
        if names.iter().any(|name| name.contains(['[', ']'])) {
            return Err("has a bracket within; write all names with dots between them, or each in brackets");
        }
        if names.iter().any(String::is_empty) {
            return Err("has an empty name");
        }
        Ok(ClaimPath(names))
    }

    /// The names, the outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

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

/// The items of a claim that is a list of strings; `None` for any other claim.
///
/// The format is proxy-wasm's for pairs: their number, the two lengths of each, then each with a zero byte after either half;
/// all numbers are 32 bits, little-endian. An item is in the first half; the second is empty.
pub fn items(value: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let number = |at: usize| Some(u32::from_le_bytes(*value.get(at..)?.first_chunk()?) as usize);
    let count = number(0)?;
    let mut items = Vec::new();
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    if at > value.len() {
        return None;
    }
    for item in 0..count {
        let (length, empty) = (number(4 + 8 * item)?, number(8 + 8 * item)?);
        let end = at.checked_add(length)?;
        items.push(value.get(at..end)?);
        if empty != 0 || value.get(end..end.checked_add(2)?)? != [0, 0] {
            return None;
        }
        at = end + 2;
    }
    (at == value.len()).then(|| items.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_in_a_virtual_service() {
        let path = |text: &str| ClaimPath::parse(text).map(|path| path.names().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(path("sub").unwrap(), ["sub"]);
        assert_eq!(path("realm.role").unwrap(), ["realm", "role"]);
        assert_eq!(path("[https://example.com/role]").unwrap(), ["https://example.com/role"]);
        assert_eq!(path("[a.b][c]").unwrap(), ["a.b", "c"]);
        for wrong in ["", ".", "a.", "a..b", "[]", "[a", "[a]b", "[a][]", "a[b]"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }

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
            // Cut off, and other types of fields.
            (verified(&["keycloak"])[..20].to_vec(), &[]),
            ([vec![8, 1], verified(&["keycloak"])].concat(), &[]),
            (vec![10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &[]),
            (vec![10], &[]),
        ];
        for (metadata, expected) in table {
            assert_eq!(providers(metadata), *expected, "{metadata:?}");
        }
    }

    fn listed(items: &[&str]) -> Vec<u8> {
        let mut bytes = (items.len() as u32).to_le_bytes().to_vec();
        for item in items {
            bytes.extend((item.len() as u32).to_le_bytes());
            bytes.extend(0_u32.to_le_bytes());
        }
        for item in items {
            bytes.extend(item.bytes());
            bytes.extend([0, 0]);
        }
        bytes
    }

    #[test]
    fn a_list_is_told_from_a_string() {
        let read = |bytes: &[u8]| items(bytes).map(|items| items.map(<[u8]>::to_vec).collect::<Vec<_>>());
        assert_eq!(read(&listed(&["beta", ""])), Some(vec![b"beta".to_vec(), Vec::new()]));
        assert_eq!(read(&listed(&[])), Some(Vec::new()));
        for no_list in [&b""[..], b"beta", b"\x01\0\0\0", &[0xff; 12], &[0xff; 4]] {
            assert_eq!(read(no_list), None, "{no_list:?}");
        }
        let mut longer = listed(&["beta"]);
        longer.push(0);
        assert_eq!(read(&longer), None);
    }
}
