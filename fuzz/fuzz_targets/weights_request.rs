//! Fuzzes `hearth_weights::fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_weights::fuzz::request(bytes));
