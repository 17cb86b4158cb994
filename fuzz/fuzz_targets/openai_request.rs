//! Fuzzes `hearth_openai::fuzz::request`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_openai::fuzz::request(bytes));
