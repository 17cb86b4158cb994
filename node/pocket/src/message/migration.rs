//! Package `pocket.migration`: its parameters only; Hearth migrates nothing.

use super::messages;

messages! { "pocket.migration";
    /// Parameters of the module.
    Params {
        1 waive_morse_claim_gas_fees: bool;
        2 allow_morse_account_import_overwrite: bool;
        3 morse_account_claiming_enabled: bool;
    }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
}
