//! systemd's notify protocol (`man sd_notify`): one datagram to the socket that `NOTIFY_SOCKET` names.

use std::io;

/// Tells systemd a state such as `READY=1`. Without systemd nothing happens.
///
/// # Errors
/// A socket that is named and does not take the datagram.
#[cfg(unix)]
pub fn send(state: &str) -> io::Result<()> {
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[allow(
        clippy::disallowed_methods,
        reason = "this variable is systemd's, not a setting of ours"
    )]
    let Ok(name) = std::env::var("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let socket = UnixDatagram::unbound()?;
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        socket.send_to_addr(state.as_bytes(), &SocketAddr::from_abstract_name(name)?)?;
        return Ok(());
    }
    socket.send_to_addr(state.as_bytes(), &SocketAddr::from_pathname(name)?)?;
    Ok(())
}

/// Elsewhere there is nobody to tell.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn send(_state: &str) -> io::Result<()> {
    Ok(())
}
