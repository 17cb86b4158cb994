//! Fuzzes `hearth_pocket::fuzz::json_any`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::json_any(bytes));
