//! Rebuilds the crate when a migration is added: `sqlx::migrate!` reads the folder at compile time.
fn main() {
    #[allow(clippy::print_stdout, reason = "how a build script talks to cargo")]
    println!("cargo:rerun-if-changed=migrations");
}
