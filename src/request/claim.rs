//! Claims of a token that the gateway has verified.
//!
//! Envoy's `jwt_authn` filter leaves them in the request's metadata, where each has a path. Envoy hands over a string as it
//! is (an empty one is absent), and a list of strings in its format for pairs.

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
