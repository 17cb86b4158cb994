// Pocket's messages for CosmJS, after the field numbers of the chain's .proto files. Written by hand so that nothing of
// Hearth's own encoding stands behind them.

import { Coin } from 'cosmjs-types/cosmos/base/v1beta1/coin'
import { PageRequest, PageResponse } from 'cosmjs-types/cosmos/base/query/v1beta1/pagination'
import { Any } from 'cosmjs-types/google/protobuf/any'
import { BinaryReader, BinaryWriter } from 'cosmjs-types/binary'

const WIRE = { varint: 0, bytes: 2 }
const scalars = {
  string: { wire: WIRE.bytes, write: (w, v) => w.string(v), read: (r) => r.string(), zero: () => '' },
  bytes: { wire: WIRE.bytes, write: (w, v) => w.bytes(v), read: (r) => r.bytes(), zero: () => new Uint8Array() },
  uint64: { wire: WIRE.varint, write: (w, v) => w.uint64(BigInt(v)), read: (r) => r.uint64(), zero: () => 0n },
  int64: { wire: WIRE.varint, write: (w, v) => w.int64(BigInt(v)), read: (r) => r.int64(), zero: () => 0n },
  bool: { wire: WIRE.varint, write: (w, v) => w.bool(v), read: (r) => r.bool(), zero: () => false },
  enum: { wire: WIRE.varint, write: (w, v) => w.int32(v), read: (r) => r.int32(), zero: () => 0 },
}

// A field is `number name kind`; a kind is a scalar, another message, [kind] for a list, or { always: kind } for a
// message that is written even when it is empty.
const isEmpty = (value) => value === undefined || value === '' || value === false || value?.length === 0 || value == 0

export function message(...fields) {
  const type = {
    fields,
    fromPartial: (object) => ({ ...object }),
    encode(value, writer = BinaryWriter.create()) {
      for (const [number, name, kind] of fields) writeField(writer, number, kind, value[name])
      return writer
    },
    decode(input, length) {
      const reader = input instanceof BinaryReader ? input : new BinaryReader(input)
      const end = length === undefined ? reader.len : reader.pos + length
      const found = {}
      for (const [, name, kind] of fields) found[name] = Array.isArray(kind) ? [] : scalars[kind]?.zero()
      while (reader.pos < end) {
        const tag = reader.uint32()
        const field = fields.find(([number]) => number === tag >>> 3)
        if (!field) reader.skipType(tag & 7)
        else readField(reader, field, found)
      }
      return found
    },
  }
  return type
}

function writeField(writer, number, kind, value) {
  if (Array.isArray(kind)) {
    for (const one of value ?? []) writeOne(writer, number, kind[0], one)
  } else if (kind.always) {
    writeOne(writer, number, kind.always, value ?? {})
  } else if (scalars[kind] ? !isEmpty(value) : value !== undefined) {
    writeOne(writer, number, kind, value)
  }
}

function writeOne(writer, number, kind, value) {
  const scalar = scalars[kind]
  if (scalar) {
    scalar.write(writer.uint32((number << 3) | scalar.wire), value)
  } else {
    kind.encode(value, writer.uint32((number << 3) | WIRE.bytes).fork()).ldelim()
  }
}

function readField(reader, [, name, kind], found) {
  const one = Array.isArray(kind) ? kind[0] : (kind.always ?? kind)
  const value = scalars[one] ? scalars[one].read(reader) : one.decode(reader, reader.uint32())
  if (Array.isArray(kind)) found[name].push(value)
  else found[name] = value
}

export const RPC_TYPES = { GRPC: 1, WEBSOCKET: 2, JSON_RPC: 3, REST: 4, COMET_BFT: 5 }

const Metadata = message([1, 'card', 'bytes'])
export const Service = message(
  [1, 'id', 'string'],
  [2, 'name', 'string'],
  [3, 'compute_units_per_relay', 'uint64'],
  [4, 'owner_address', 'string'],
  [5, 'metadata', Metadata],
)
const ConfigOption = message([1, 'key', 'enum'], [2, 'value', 'string'])
const Endpoint = message([1, 'url', 'string'], [2, 'rpc_type', 'enum'], [3, 'configs', [ConfigOption]])
const Share = message([1, 'address', 'string'], [3, 'rev_share_percentage', 'uint64'])
const SupplierService = message([1, 'service_id', 'string'], [2, 'endpoints', [Endpoint]], [3, 'rev_share', [Share]])
const ApplicationService = message([1, 'service_id', 'string'])
const SupplierUpdate = message(
  [1, 'operator_address', 'string'],
  [2, 'service', SupplierService],
  [3, 'activation_height', 'int64'],
  [4, 'deactivation_height', 'int64'],
)
export const Supplier = message(
  [1, 'owner_address', 'string'],
  [2, 'operator_address', 'string'],
  [3, 'stake', Coin],
  [4, 'services', [SupplierService]],
  [5, 'unstake_session_end_height', 'uint64'],
  [6, 'service_config_history', [SupplierUpdate]],
)
const Transfer = message([1, 'destination_address', 'string'], [2, 'session_end_height', 'uint64'])
export const Application = message(
  [1, 'address', 'string'],
  [2, 'stake', Coin],
  [3, 'service_configs', [ApplicationService]],
  [4, 'delegatee_gateway_addresses', ['string']],
  [6, 'unstake_session_end_height', 'uint64'],
  [7, 'pending_transfer', Transfer],
  [8, 'per_session_spend_limit', Coin],
)
export const Gateway = message(
  [1, 'address', 'string'],
  [2, 'stake', Coin],
  [3, 'unstake_session_end_height', 'uint64'],
  [4, 'metadata', Metadata],
)
const SharedParams = message(
  ...[
    'num_blocks_per_session',
    'grace_period_end_offset_blocks',
    'claim_window_open_offset_blocks',
    'claim_window_close_offset_blocks',
    'proof_window_open_offset_blocks',
    'proof_window_close_offset_blocks',
    'supplier_unbonding_period_sessions',
    'application_unbonding_period_sessions',
    'compute_units_to_tokens_multiplier',
    'gateway_unbonding_period_sessions',
    'compute_unit_cost_granularity',
    'session_grid_anchor_height',
    'session_number_at_anchor',
  ].map((name, index) => [index + 1, name, 'uint64']),
)
const Header = message(
  [1, 'application_address', 'string'],
  [2, 'service_id', 'string'],
  [3, 'session_id', 'string'],
  [4, 'session_start_block_height', 'int64'],
  [5, 'session_end_block_height', 'int64'],
)

// What can be signed, by type. MsgSend and the authz messages that CosmJS knows are its own.
export const MESSAGES = {
  '/pocket.supplier.MsgStakeSupplier': message(
    [1, 'signer', 'string'],
    [2, 'owner_address', 'string'],
    [3, 'operator_address', 'string'],
    [4, 'stake', Coin],
    [5, 'services', [SupplierService]],
  ),
  '/pocket.supplier.MsgUnstakeSupplier': message([1, 'signer', 'string'], [2, 'operator_address', 'string']),
  '/pocket.application.MsgStakeApplication': message(
    [1, 'address', 'string'],
    [2, 'stake', Coin],
    [3, 'services', [ApplicationService]],
    [4, 'per_session_spend_limit', Coin],
  ),
  '/pocket.application.MsgUnstakeApplication': message([1, 'address', 'string']),
  '/pocket.application.MsgDelegateToGateway': message([1, 'app_address', 'string'], [2, 'gateway_address', 'string']),
  '/pocket.application.MsgUndelegateFromGateway': message(
    [1, 'app_address', 'string'],
    [2, 'gateway_address', 'string'],
  ),
  '/pocket.application.MsgTransferApplication': message(
    [1, 'source_address', 'string'],
    [2, 'destination_address', 'string'],
  ),
  '/pocket.gateway.MsgStakeGateway': message([1, 'address', 'string'], [2, 'stake', Coin]),
  '/pocket.gateway.MsgUnstakeGateway': message([1, 'address', 'string']),
  '/pocket.gateway.MsgUpdateGatewayMetadata': message([1, 'address', 'string'], [2, 'metadata', Metadata]),
  '/pocket.service.MsgAddService': message([1, 'owner_address', 'string'], [2, 'service', { always: Service }]),
  '/pocket.service.MsgTransferService': message(
    [1, 'owner_address', 'string'],
    [2, 'service_id', 'string'],
    [3, 'new_owner_address', 'string'],
  ),
  '/pocket.proof.MsgCreateClaim': message(
    [1, 'supplier_operator_address', 'string'],
    [2, 'session_header', Header],
    [3, 'root_hash', 'bytes'],
  ),
  '/pocket.proof.MsgSubmitProof': message(
    [1, 'supplier_operator_address', 'string'],
    [2, 'session_header', Header],
    [3, 'proof', 'bytes'],
  ),
  '/pocket.shared.MsgUpdateParams': message([1, 'authority', 'string'], [2, 'params', { always: SharedParams }]),
  '/pocket.session.MsgUpdateParams': message(
    [1, 'authority', 'string'],
    [2, 'params', { always: message([3, 'num_suppliers_per_session', 'uint64']) }],
  ),
}

// Queries: what is asked, and what is answered.
const one = (record) => ({ ask: message([1, 'key', 'string']), answer: message([1, 'found', record]) })
export const QUERIES = {
  '/pocket.supplier.Query/Supplier': one(Supplier),
  '/pocket.application.Query/Application': one(Application),
  '/pocket.gateway.Query/Gateway': one(Gateway),
  '/pocket.service.Query/Service': one(Service),
  '/pocket.service.Query/AllServices': {
    ask: message([1, 'pagination', PageRequest]),
    answer: message([1, 'found', [Service]], [2, 'pagination', PageResponse]),
  },
}

// The chain's own JSON of a message, as recordings have it, in the form that the tables above take.
export function fromJson(json) {
  const { '@type': typeUrl, ...fields } = json
  return { typeUrl, value: valueOf(MESSAGES[typeUrl], fields) }
}

function valueOf(type, json) {
  if (!type?.fields) return json
  const value = {}
  for (const [, name, kind] of type.fields) {
    if (json[name] === undefined || json[name] === null) continue
    const inner = Array.isArray(kind) ? kind[0] : (kind.always ?? kind)
    const read = (one) => {
      if (inner === 'enum') return typeof one === 'string' ? RPC_TYPES[one] : one
      if (inner === 'bytes') return new Uint8Array(Buffer.from(one, 'base64'))
      return scalars[inner] ? one : valueOf(inner, one)
    }
    value[name] = Array.isArray(kind) ? json[name].map(read) : read(json[name])
  }
  return value
}

export { Any }
