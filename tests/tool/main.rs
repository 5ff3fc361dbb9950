//! The tool as people call it: its output and exit codes.

mod adopt;
mod answers;
mod check;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "other tests use what is not used here")]
mod common;
#[path = "../common/configs.rs"]
mod configs;
mod convert;
mod convert_httproute;
mod convert_origins;
mod dashboard;
mod diff;
mod documented;
mod explain;
mod explain_route;
mod finish;
mod finish_httproute;
mod hostile;
mod linear;
mod living;
mod masked;
mod mutations;
mod reading;
mod remember;
mod rollout;
mod schema;
mod screens;
mod set;
mod set_living;
mod simulate;
mod standin;
mod strangers;

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Runs the tool at the top of the repository.
pub fn tool(arguments: &[&str]) -> Output {
    fed(arguments, "")
}

/// Runs the tool with this in its environment.
pub fn with(name: &str, value: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_canary-split"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env(name, value)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs the tool with this on its standard input.
pub fn fed<A: AsRef<OsStr>>(arguments: &[A], input: &str) -> Output {
    let top = env!("CARGO_MANIFEST_DIR");
    // Where tests/setup.sh has put kubectl, which renders kustomizations.
    let path = format!("{top}/.venv/bin:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(env!("CARGO_BIN_EXE_canary-split"));
    let command = command.current_dir(top).env("PATH", path).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A process that reads nothing may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// What a run has printed and how it has ended; a panic ends with 101.
pub fn ended(output: &Output) -> (String, String, i32) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

/// A file that goes with the test.
pub struct Temporary(pub PathBuf);

impl Temporary {
    /// Of this text.
    pub fn new(text: &str) -> Temporary {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("canary-split-test-{}-{number}.yaml", std::process::id()));
        fs::write(&path, text).unwrap();
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
