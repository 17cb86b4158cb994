//! Fuzzes `hearth_engine::fuzz::schema`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_engine::fuzz::schema(bytes));
