//! Fuzzes `hearth_pocket::fuzz::ring_signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::ring_signature(bytes));
