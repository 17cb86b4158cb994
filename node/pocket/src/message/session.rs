//! Package `pocket.session`.

use super::{application::Application, messages, shared::Supplier};

messages! { "pocket.session";
    /// Which session a relay, claim or proof belongs to.
    #[derive(Eq, Hash)]
    SessionHeader {
        1 application_address: string;
        2 service_id: string;
        3 session_id: string;
        4 session_start_block_height: i64;
        5 session_end_block_height: i64;
    }
    /// A session as the chain hydrates it. Its suppliers carry only the configuration of the service.
    Session {
        1 header: message(SessionHeader);
        2 session_id: string;
        3 session_number: i64;
        4 num_blocks_per_session: i64;
        5 application: message(Application);
        6 suppliers: list(Supplier);
    }
    /// Parameters of the module.
    Params { 3 num_suppliers_per_session: u64; }
    /// Parameters with the height from which they count.
    ParamsUpdate { 1 effective_height: i64; 2 params: message(Params); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetSessionRequest { 1 application_address: string; 2 service_id: string; 3 block_height: i64; }
    QueryGetSessionResponse { 1 session: message(Session); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_uint64: u64; }
}
