//! What the operating system says of an error, in words alone.

use std::fmt::Display;

/// `No such file or directory`, without the number that Rust adds: ` (os error 2)`.
pub fn reason(error: &(impl Display + ?Sized)) -> String {
    let said = error.to_string();
    match said.rsplit_once(" (os error ") {
        Some((reason, _)) => reason.to_owned(),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::reason;
    use std::io::Error;

    #[test]
    fn an_error_of_the_system_has_words_and_no_number() {
        let missing = std::fs::File::open("/no/such/file").unwrap_err();
        assert!(missing.to_string().ends_with(" (os error 2)"), "{missing}");
        assert_eq!(reason(&missing), "No such file or directory");
        assert_eq!(reason(&Error::other("too many (3)")), "too many (3)");
    }
}
