//! Fuzzes `hearth_weights::fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_weights::fuzz::manifest(bytes));
