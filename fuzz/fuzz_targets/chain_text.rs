//! Fuzzes `hearth_chain::fuzz::chain_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_chain::fuzz::chain_text(bytes));
