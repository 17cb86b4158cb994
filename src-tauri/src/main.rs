//! The program `hearth`: command line, daemon, and in desktop builds the window.

mod cli;
#[cfg(feature = "desktop")]
mod window;

use std::process::ExitCode;

fn main() -> ExitCode {
    hearth_node::process::begin();
    hearth_base::tls::init();
    #[cfg(feature = "desktop")]
    let open = window::open;
    #[cfg(not(feature = "desktop"))]
    let open = cli::show_page;
    cli::run(open)
}
