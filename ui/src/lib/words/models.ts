import type { Download, Model } from '$lib/api/generated';
import { bytes, integer } from '$lib/format/figures';
import { price } from '$lib/format/money';
import { m } from '$lib/paraglide/messages';

/** What an answer costs: "free", "0.2628 POKT", or that it is not known. */
export function modelPrice(model: Model): string {
  if (model.kind !== 'network') return m.free();
  return model.price_per_answer ? m.price_answer({ price: price(model.price_per_answer) }) : m.price_unknown();
}

export function modelPlace(model: Model): string {
  if (model.kind === 'local') return m.this_computer();
  return model.kind === 'server' ? m.own_server() : m.network_word();
}

/** `Q4_1, 8k context` or the service's name. */
export function modelFacts(model: Model): string {
  const facts: string[] = [];
  if (model.kind === 'network' && model.service) facts.push(model.service);
  if (model.quantisation) facts.push(model.quantisation);
  if (model.context_tokens) facts.push(m.context_size({ size: contextSize(model.context_tokens) }));
  if (model.size_bytes && model.kind === 'local') facts.push(bytes(model.size_bytes));
  if (model.signs_directly) facts.push(m.signs_directly());
  return facts.join(', ');
}

export const contextSize = (tokens: number): string => (tokens >= 1024 ? `${integer(Math.floor(tokens / 1024))}k` : integer(tokens));

export function parameterCount(parameters: number): string {
  if (parameters >= 1e9) return `${new Intl.NumberFormat().format(Math.round(parameters / 1e8) / 10)}B`;
  return `${integer(Math.round(parameters / 1e6))}M`;
}

export const downloadName = (download: Download): string => download.title ?? `${download.cid.slice(0, 9)}…${download.cid.slice(-4)}`;

export const downloadPercent = (download: Download): number =>
  download.size_bytes ? (download.have_bytes / download.size_bytes) * 100 : 0;
