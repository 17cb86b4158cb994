//! The program `hearth`.
fn main() {}
