//! Fuzzes `hearth_engine::fuzz::gguf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_engine::fuzz::gguf(bytes));
