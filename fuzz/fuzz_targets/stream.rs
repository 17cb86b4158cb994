//! Fuzzes `hearth_pocket::fuzz::stream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::stream(bytes));
