//! Fuzzes `hearth_pocket::fuzz::gob_proof`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_pocket::fuzz::gob_proof(bytes));
