// What a person gave and Hearth refused, with the facts filled in: model files, downloads, keys, origins.
import { bytes } from '$lib/format/figures';
import { m } from '$lib/paraglide/messages';

/** The facts of a refusal by name; what an older node does not say is a question mark. */
export type Facts = { say: (name: string) => string; size: (name: string) => string };
export type Words = { title: (facts: Facts) => string; detail?: boolean };

export function factsOf(values: Record<string, unknown> | undefined): Facts {
  const say = (name: string) => String(values?.[name] ?? '?');
  return { say, size: (name) => (/^\d+$/.test(say(name)) ? bytes(Number(say(name))) : say(name)) };
}

/** The largest file that goes with a question. */
export const MOST_FILE_MIB = 20;

export const refusals: Record<string, Words> = {
  busy: { title: ({ say }) => m.refused_busy({ seconds: say('seconds') }) },
  chat_file_empty: { title: m.refused_empty },
  chat_file_no_text: { title: m.refused_no_text },
  chat_file_not_kept: { title: m.refused_not_kept },
  chat_file_not_text: { title: m.refused_not_text },
  chat_file_office: { title: m.refused_office },
  chat_file_picture: { title: m.refused_picture },
  chat_file_sent: { title: m.refused_file_sent },
  chat_file_too_large: { title: () => m.refused_too_large({ most: MOST_FILE_MIB }) },
  chat_files_many: { title: m.refused_files_many, detail: true },
  chat_import_large: { title: m.refused_import_large, detail: true },
  chat_import_newer: { title: m.refused_import_newer, detail: true },
  chat_import_other: { title: m.refused_import_other },
  chat_import_zip: { title: m.refused_import_zip },
  chat_pdf_damaged: { title: m.refused_pdf_damaged },
  chat_pdf_locked: { title: m.refused_pdf_locked },
  chat_pdf_scan: { title: m.refused_pdf_scan },
  chat_pdf_too_much: { title: m.refused_pdf_too_much },
  cid_hash: { title: m.refused_cid_hash, detail: true },
  cid_no_model: { title: ({ say }) => m.refused_cid_no_model({ cid: say('cid') }) },
  cid_wrong: { title: ({ say }) => m.refused_cid_wrong({ text: say('text') }) },
  download_disk: { title: ({ size }) => m.refused_download_disk({ needed: size('needed_bytes'), left: size('left_bytes') }) },
  download_manifest: { title: m.refused_download_manifest, detail: true },
  download_no_source: { title: m.refused_download_no_source, detail: true },
  download_published_wrong: { title: ({ say }) => m.refused_download_published_wrong({ path: say('path') }), detail: true },
  download_quota: { title: ({ size }) => m.refused_download_quota({ needed: size('needed_bytes'), left: size('left_bytes') }) },
  download_write: { title: ({ say }) => m.refused_download_write({ path: say('path') }), detail: true },
  file_changing: { title: ({ say }) => m.refused_file_changing({ path: say('path') }) },
  file_denied: { title: ({ say }) => m.refused_file_denied({ path: say('path') }), detail: true },
  file_name_no_text: { title: ({ say }) => m.refused_file_name_no_text({ path: say('path') }) },
  file_no_file: { title: ({ say }) => m.refused_file_no_file({ path: say('path') }) },
  file_unreadable: { title: ({ say }) => m.refused_file_unreadable({ path: say('path') }), detail: true },
  file_unseen: { title: ({ say }) => m.refused_file_unseen({ path: say('path') }), detail: true },
  folder_deep: { title: ({ say }) => m.refused_folder_deep({ path: say('path'), depth: say('depth') }) },
  history_chain_away: { title: m.refused_history_chain_away },
  history_gap: { title: ({ say }) => m.refused_history_gap({ first: say('first'), last: say('last') }) },
  history_before: { title: ({ say }) => m.refused_history_before({ blocks: say('blocks') }) },
  history_cut: { title: ({ say }) => m.refused_history_cut({ most: say('most') }) },
  key_budget: { title: m.refused_key_budget, detail: true },
  key_entries: { title: ({ say }) => m.refused_key_entries({ most: say('most') }) },
  key_expired: { title: m.refused_key_expired },
  key_model_name: { title: ({ say }) => m.refused_key_model_name({ model: say('model') }) },
  key_name: { title: ({ say }) => m.refused_key_name({ most: say('most') }) },
  key_no_rate: { title: m.refused_key_no_rate },
  key_no_scope: { title: m.refused_key_no_scope },
  model_architecture: { title: ({ say }) => m.refused_model_architecture({ architecture: say('architecture'), supported: say('supported') }) },
  model_byte_order: { title: ({ say }) => m.refused_model_byte_order({ file: say('file') }) },
  model_feature: { title: m.refused_model_feature, detail: true },
  model_file_damaged: { title: ({ say }) => m.refused_model_file_damaged({ file: say('file') }), detail: true },
  model_header_bad: { title: ({ say }) => m.refused_model_header_bad({ file: say('file'), key: say('key') }), detail: true },
  model_header_missing: { title: ({ say }) => m.refused_model_header_missing({ file: say('file'), key: say('key') }) },
  model_manifest: { title: m.refused_model_manifest, detail: true },
  model_not_gguf: { title: ({ say }) => m.refused_model_not_gguf({ file: say('file') }) },
  model_part_missing: { title: ({ say }) => m.refused_model_part_missing({ file: say('file'), count: say('count'), missing: say('missing') }) },
  model_part_other: { title: ({ say }) => m.refused_model_part_other({ file: say('file'), found: say('found'), found_count: say('found_count'), wanted: say('wanted'), count: say('count') }) },
  model_tensor_missing: { title: ({ say }) => m.refused_model_tensor_missing({ file: say('file'), tensor: say('tensor') }) },
  model_tensor_shape: { title: ({ say }) => m.refused_model_tensor_shape({ tensor: say('tensor'), file: say('file') }) },
  model_tensor_type: { title: ({ say }) => m.refused_model_tensor_type({ type: say('type'), tensor: say('tensor'), supported: say('supported') }) },
  model_tokenizer: { title: ({ say }) => m.refused_model_tokenizer({ tokenizer: say('tokenizer') }) },
  model_too_large: { title: ({ size }) => m.refused_model_too_large({ need: size('need_bytes'), available: size('available_bytes'), fits: size('fits_bytes') }) },
  model_truncated: { title: ({ say }) => m.refused_model_truncated({ file: say('file') }) },
  model_unrecognised: { title: ({ say }) => m.refused_model_unrecognised({ path: say('path') }) },
  model_version: { title: ({ say }) => m.refused_model_version({ file: say('file'), version: say('version') }) },
  name_long: { title: m.refused_name_long, detail: true },
  name_missing: { title: m.refused_name_missing },
  origin_everybody: { title: ({ say }) => m.refused_origin_everybody({ origin: say('origin') }) },
  origin_wrong: { title: ({ say }) => m.refused_origin_wrong({ origin: say('origin') }) },
  origins_many: { title: ({ say }) => m.refused_origins_many({ most: say('most') }) },
  presets_many: { title: m.refused_presets_many, detail: true },
  source_address: { title: ({ say }) => m.refused_source_address({ address: say('address') }) },
};
