//! Fuzzes `hearth_openai::fuzz::sse`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_openai::fuzz::sse(bytes));
