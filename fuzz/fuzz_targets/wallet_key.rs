//! Fuzzes `hearth_wallet::fuzz::key`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_wallet::fuzz::key(bytes));
