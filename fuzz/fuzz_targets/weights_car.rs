//! Fuzzes `hearth_weights::fuzz::car`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_weights::fuzz::car(bytes));
