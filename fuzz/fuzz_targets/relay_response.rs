//! Fuzzes `hearth_pocket::fuzz::relay_response`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::relay_response(bytes));
