//! Opens the page in the user's browser.
//!
//! A browser is given what to open as an argument, and everybody on this machine can read the arguments of a process (`ps`). So it is
//! given a file that the user alone can read, and the file leads to the address with the token.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The file, as long as it is needed.
pub struct Doorstep {
    folder: PathBuf,
    file: PathBuf,
    removed: Once,
}

impl Doorstep {
    /// A file that leads to this address.
    pub fn new(url: &str) -> io::Result<Doorstep> {
        let mut chance = [0_u8; 8];
        getrandom::fill(&mut chance).map_err(|error| io::Error::other(error.to_string()))?;
        let name = format!("canary-split-{:016x}", u64::from_ne_bytes(chance));
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let folder = runtime.unwrap_or_else(std::env::temp_dir).join(name);
        private_folder(&folder)?;
        let doorstep = Doorstep { file: folder.join("open.html"), folder, removed: Once::new() };
        let page = format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
             <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n<title>canary-split</title>\n<a href=\"{url}\">The dashboard</a>\n"
        );
        private_file(&doorstep.file)?.write_all(page.as_bytes())?;
        Ok(doorstep)
    }

    /// Opens it.
    pub fn open(&self) -> io::Result<()> {
        open::that_detached(&self.file)
    }

    /// Removes the file.
    pub fn remove(&self) {
        self.removed.call_once(|| {
            // What cannot be removed leads nowhere soon.
            let _ = fs::remove_file(&self.file);
            let _ = fs::remove_dir(&self.folder);
        });
    }
}

impl Drop for Doorstep {
    fn drop(&mut self) {
        self.remove();
    }
}

fn private_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.create(path)
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut file = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.write(true).create_new(true).open(path)
}
