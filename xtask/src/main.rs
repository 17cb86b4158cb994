//! Repository rules as a program.
fn main() {}
