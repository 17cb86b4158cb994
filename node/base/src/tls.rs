//! The one choice of TLS provider.

/// Chooses the TLS provider of the process. Two are compiled in, and rustls panics at the first connection
/// when nobody chose; so this is the first statement of `main` and of every test that opens a connection.
pub fn init() {
    // `Err` says that it was chosen before, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
