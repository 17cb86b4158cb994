//! Fuzzes `hearth_answers::fuzz::sse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_answers::fuzz::sse(bytes));
