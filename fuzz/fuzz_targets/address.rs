//! Fuzzes `hearth_pocket::fuzz::address`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::address(bytes));
