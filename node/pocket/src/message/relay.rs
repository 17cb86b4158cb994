//! The relay path: messages of package `pocket.service` that travel between gateway and supplier.

use super::{messages, session::SessionHeader};

messages! { "pocket.service";
    /// A request with its answer: what a session's tree is made of.
    Relay { 1 req: message(RelayRequest); 2 res: message(RelayResponse); }
    RelayRequestMetadata {
        1 session_header: message(SessionHeader);
        2 signature: bytes;
        3 supplier_operator_address: string;
    }
    /// What a gateway sends to a supplier.
    RelayRequest { 1 meta: always(RelayRequestMetadata); 2 payload: data; }
    RelayResponseMetadata { 1 session_header: message(SessionHeader); 2 supplier_operator_signature: bytes; }
    /// What a supplier answers.
    RelayResponse {
        1 meta: always(RelayResponseMetadata);
        2 payload: data;
        3 relay_miner_error: message(RelayMinerError);
        4 payload_hash: opt_bytes;
    }
    /// Why a supplier did not answer.
    #[derive(Eq)]
    RelayMinerError { 1 codespace: string; 2 code: u32; 3 description: string; 4 message: string; }
}
