//! The program `hearth`.
#[cfg(feature = "desktop")]
use tauri as _;
fn main() {}
