//! Rebuilds the crate when the UI was built anew: its files are embedded.
fn main() {
    #[allow(clippy::print_stdout, reason = "how a build script talks to cargo")]
    {
        println!("cargo:rerun-if-changed=../../ui/dist");
    }
}
