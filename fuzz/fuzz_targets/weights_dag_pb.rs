//! Fuzzes `hearth_weights::fuzz::dag_pb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hearth_weights::fuzz::dag_pb(bytes));
