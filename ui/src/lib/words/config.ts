// What every setting of the configuration is for; the test compares the keys with the node's own list.
import { m } from '$lib/paraglide/messages';

type Words = Record<string, () => string>;

export const settingWords: Words = {
  network: m.conf_network,
  stop_within_s: m.conf_stop_within_s,
  'api.listen': m.conf_api_listen,
  'api.allowed_hosts': m.conf_api_allowed_hosts,
  'api.allowed_origins': m.conf_api_allowed_origins,
  'api.trusted_proxies': m.conf_api_trusted_proxies,
  backends: m.conf_backends,
  'chain.rpc': m.conf_chain_rpc,
  'chain.trust.height': m.conf_chain_trust_height,
  'chain.trust.hash': m.conf_chain_trust_hash,
  'devnet.listen': m.conf_devnet_listen,
  'devnet.setup': m.conf_devnet_setup,
  'devnet.block_ms': m.conf_devnet_block_ms,
  'devnet.session_blocks': m.conf_devnet_session_blocks,
  'devnet.grace_blocks': m.conf_devnet_grace_blocks,
  'devnet.claim_open_blocks': m.conf_devnet_claim_open_blocks,
  'devnet.claim_close_blocks': m.conf_devnet_claim_close_blocks,
  'devnet.proof_open_blocks': m.conf_devnet_proof_open_blocks,
  'devnet.proof_close_blocks': m.conf_devnet_proof_close_blocks,
  'engine.threads': m.conf_engine_threads,
  'engine.context_tokens': m.conf_engine_context_tokens,
  'gateway.first_byte_within_s': m.conf_gateway_first_byte_within_s,
  'gateway.answer_within_s': m.conf_gateway_answer_within_s,
  'gateway.max_answer_bytes': m.conf_gateway_max_answer_bytes,
  'gateway.max_part_bytes': m.conf_gateway_max_part_bytes,
  'gateway.max_parts': m.conf_gateway_max_parts,
  'gateway.daily_cap_upokt': m.conf_gateway_daily_cap_upokt,
  'gateway.direct_signing': m.conf_gateway_direct_signing,
  'wallet.auto_lock_minutes': m.conf_wallet_auto_lock_minutes,
  'log.filter': m.conf_log_filter,
  'log.format': m.conf_log_format,
  'miner.listen': m.conf_miner_listen,
  'miner.public_url': m.conf_miner_public_url,
  'miner.backend': m.conf_miner_backend,
  'miner.backend_health': m.conf_miner_backend_health,
  'miner.backend_key_file': m.conf_miner_backend_key_file,
  'miner.services': m.conf_miner_services,
  'miner.aliases': m.conf_miner_aliases,
  'miner.first_byte_within_s': m.conf_miner_first_byte_within_s,
  'miner.answer_within_s': m.conf_miner_answer_within_s,
  'miner.max_request_bytes': m.conf_miner_max_request_bytes,
  'miner.max_answer_bytes': m.conf_miner_max_answer_bytes,
  'miner.max_answer_parts': m.conf_miner_max_answer_parts,
  'miner.slots': m.conf_miner_slots,
  'miner.queue': m.conf_miner_queue,
  'miner.start': m.conf_miner_start,
  'models.aliases': m.conf_models_aliases,
  'wallet.passphrase_file': m.conf_wallet_passphrase_file,
  'weights.quota_gb': m.conf_weights_quota_gb,
  'weights.gateways': m.conf_weights_gateways,
  'weights.demo_folder': m.conf_weights_demo_folder,
};

/** Of each server that answers. */
export const backendWords: Words = {
  kind: m.conf_backend_kind,
  url: m.conf_backend_url,
  key_file: m.conf_backend_key_file,
  key_env: m.conf_backend_key_env,
  models: m.conf_backend_models,
  weight: m.conf_backend_weight,
  slots: m.conf_backend_slots,
  health: m.conf_backend_health,
  first_byte_within_s: m.conf_backend_first_byte_within_s,
  answer_within_s: m.conf_backend_answer_within_s,
  hedge_after_ms: m.conf_backend_hedge_after_ms,
};

const groupWords: Words = {
  general: m.conf_group_general,
  api: m.conf_group_api,
  backends: m.conf_group_backends,
  chain: m.conf_group_chain,
  devnet: m.conf_group_devnet,
  engine: m.conf_group_engine,
  gateway: m.conf_group_gateway,
  log: m.conf_group_log,
  miner: m.conf_group_miner,
  models: m.conf_group_models,
  wallet: m.conf_group_wallet,
  weights: m.conf_group_weights,
};

export const groupOf = (key: string): string => (key.includes('.') || key === 'backends' ? (key.split('.')[0] ?? '') : 'general');
export const groupTitle = (group: string): string => groupWords[group]?.() ?? group;

/** The table in which people name entries themselves, for a key in one. */
export const tableOf = (key: string): string | null => ['backends', 'miner.services', 'miner.aliases', 'models.aliases'].find((table) => key.startsWith(`${table}.`)) ?? null;

/** What a setting is for. An entry of a table is told by its table, a setting of a server by its own name. */
export function settingText(key: string): string {
  const table = tableOf(key);
  if (table === 'backends') return backendWords[key.split('.').at(-1) ?? '']?.() ?? '';
  return (settingWords[key] ?? settingWords[table ?? ''])?.() ?? '';
}
