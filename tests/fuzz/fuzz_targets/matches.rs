#![no_main]

#[path = "../checks.rs"]
mod checks;
#[path = "../oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    checks::matches(input);
});
