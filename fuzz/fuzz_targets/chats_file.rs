//! Fuzzes `hearth_chats::fuzz::file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_chats::fuzz::file(bytes));
