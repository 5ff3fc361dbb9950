//! Replaces the text of a file at once, or not at all.

use crate::input::reason::reason;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file's text; for a link, that of its target. Permissions stay.
pub fn replace(path: &Path, text: &str) -> Result<(), String> {
    let at = |error: io::Error| format!("{}: {}", path.display(), reason(&error));
    let file = fs::canonicalize(path).map_err(at)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let beside = file.with_file_name(name);
    let done = write(&file, &beside, text);
    if done.is_err() {
        // Half a file helps nobody.
        let _ = fs::remove_file(&beside);
    }
    done.map_err(at)
}

fn write(file: &Path, beside: &Path, text: &str) -> io::Result<()> {
    let before = fs::metadata(file)?;
    // A file that must not be written is not replaced either.
    OpenOptions::new().write(true).open(file)?;
    let mut new = OpenOptions::new().write(true).create_new(true).open(beside)?;
    new.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        // Only root can give a file away; other users own their files already.
        let _ = fchown(&new, Some(before.uid()), Some(before.gid()));
    }
    new.set_permissions(before.permissions())?;
    new.sync_all()?;
    fs::rename(beside, file)
}
