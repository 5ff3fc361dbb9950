//! The path, its query, and the query's parameters, as Envoy reads them.

/// A path without its query, and the query.
pub fn split_query(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = path.splitn(2, |&b| b == b'?');
    (parts.next().unwrap_or_default(), parts.next())
}

/// The first value of a query parameter; without `=` it is empty.
pub fn query_param<'p>(path: &'p [u8], name: &str) -> Option<&'p [u8]> {
    split_query(path).1?.split(|&b| b == b'&').find_map(|pair| {
        let mut parts = pair.splitn(2, |&b| b == b'=');
        (parts.next()? == name.as_bytes()).then(|| parts.next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::{query_param, split_query};

    #[test]
    fn the_query_is_no_part_of_the_uri() {
        assert_eq!(split_query(b"/a?b?c"), (&b"/a"[..], Some(&b"b?c"[..])));
        assert_eq!(split_query(b"/a"), (&b"/a"[..], None));
    }

    #[test]
    fn query_parameters_are_read_as_envoy_reads_them() {
        let table = [
            ("/", None),
            ("/?", None),
            ("/?a", Some("")),
            ("/?a=", Some("")),
            ("/?a=1&a=2", Some("1")),
            ("/?b=a&aa=1&a=%20+=", Some("%20+=")),
            ("/?A=1", None),
        ];
        for (path, expected) in table {
            assert_eq!(query_param(path.as_bytes(), "a"), expected.map(str::as_bytes), "{path}");
        }
    }
}
