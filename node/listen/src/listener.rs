//! The socket: who gets a place, and the one task that looks after all connections.

use std::{
    io::Write as _,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hearth_base::Tasks;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    body::Memory,
    connection::{self, Service, Shared},
    files,
    limits::Limits,
    table::Table,
};

/// How often all connections are looked at, at most.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// What nobody has a place for. Written once into the empty buffer of a fresh socket, so it never waits.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// What [`start`] takes.
pub struct Args<S> {
    pub socket: TcpListener,
    pub limits: Limits,
    pub service: S,
    /// Who owns the connections.
    pub tasks: Tasks,
    /// Ends the listening: no new connection is taken, answers in progress go on for `limits.drain`.
    pub stopped: CancellationToken,
    /// The threads of the next connection.
    pub threads: Box<dyn Fn() -> Handle + Send>,
}

/// Takes an address. Call it on the program's own threads.
///
/// # Errors
/// An address that is taken, or is none of this computer.
pub fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = std::net::TcpListener::bind(address)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}

/// Begins to serve. Call it on the program's own threads. The token tells when the last connection has ended after a
/// stop.
pub fn start<S: Service>(args: Args<S>) -> CancellationToken {
    let Args {
        socket,
        limits,
        service,
        tasks,
        stopped,
        threads,
    } = args;
    let table = Arc::new(Table::new(limits));
    let shared = Arc::new(Shared {
        service,
        memory: Arc::new(Memory::new(Arc::clone(&table))),
        table: Arc::clone(&table),
        tasks: tasks.clone(),
        runtime: Handle::current(),
    });
    tasks.spawn("listener", accept(shared, socket, stopped.clone(), threads));
    let ended = CancellationToken::new();
    tasks.spawn("connections", look_after(table, stopped, ended.clone()));
    ended
}

async fn accept<S: Service>(
    shared: Arc<Shared<S>>,
    socket: TcpListener,
    stopped: CancellationToken,
    threads: Box<dyn Fn() -> Handle + Send>,
) {
    let open_files = files::limit();
    loop {
        let accepted = tokio::select! {
            () = stopped.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Too many open files, mostly: waiting helps.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Small parts of a stream leave at once.
        let _ = stream.set_nodelay(true);
        let are_scarce = files::are_scarce(&stream, open_files);
        let Ok(mut stream) = stream.into_std() else {
            continue;
        };
        let Some(slot) = shared.table.admit(address.ip(), are_scarce) else {
            // Who does not read it learns as much from the end of the connection.
            let _ = stream.write(FULL);
            continue;
        };
        let threads = threads();
        let _on_it = threads.enter();
        let Ok(stream) = TcpStream::from_std(stream) else {
            continue;
        };
        let connection = connection::serve(Arc::clone(&shared), stream, address, slot);
        shared.tasks.spawn_contained("connection", connection);
    }
}

/// Ends connections that take too long, and after a stop all of them.
async fn look_after(table: Arc<Table>, stopped: CancellationToken, ended: CancellationToken) {
    let every = (table.limits().read_within / 4).clamp(Duration::from_millis(10), SWEEP_EVERY);
    while !stopped.is_cancelled() {
        tokio::select! {
            () = stopped.cancelled() => {}
            () = tokio::time::sleep(every) => table.sweep(None),
        }
    }
    let began = Instant::now();
    // One that was accepted just now has its place already or gets none.
    while !table.is_empty() {
        table.sweep(Some(began.elapsed()));
        tokio::time::sleep(every.min(Duration::from_millis(50))).await;
    }
    ended.cancel();
}
