// What a person types about an API key, and the limits that it means.
import type { ApiKey, KeyLimits, Scope } from '$lib/api/generated';
import { plain } from '$lib/format/money';

export const scopes = ['local', 'network', 'embeddings', 'signatures'] as const satisfies Scope[];
/** What a new key opens unless told otherwise. */
const usual: Scope[] = ['local', 'network', 'embeddings'];

export type Draft = {
  name: string;
  scopes: Scope[];
  /** One on a line. */
  models: string;
  origins: string;
  requests: string;
  tokens: string;
  /** As typed, and as it is meant: `null` while it means nothing. */
  daily: { typed: string; amount: string | null };
  total: { typed: string; amount: string | null };
  /** The last day, `2026-12-31`; empty for none. */
  until: string;
};

export const emptyDraft = (): Draft => ({
  name: '',
  scopes: [...usual],
  models: '',
  origins: '',
  requests: '',
  tokens: '',
  daily: { typed: '', amount: null },
  total: { typed: '', amount: null },
  until: '',
});

const money = (amount: string | null | undefined) => ({ typed: amount ? plain(amount, false) : '', amount: amount ?? null });

export function draftOf(key: ApiKey): Draft {
  const { limits } = key;
  return {
    name: key.name,
    scopes: limits.scopes ?? [...usual],
    models: (limits.models ?? []).join('\n'),
    origins: (limits.origins ?? []).join('\n'),
    requests: String(limits.requests_per_minute ?? ''),
    tokens: String(limits.tokens_per_minute ?? ''),
    daily: money(limits.daily_budget),
    total: money(limits.total_budget),
    until: limits.expires_at ? localDay(new Date(limits.expires_at)) : '',
  };
}

/** Names in lines, or apart by commas and spaces. */
export const entries = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

const localDay = (time: Date): string =>
  [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, '0')).join('-');

/** The end of a day, here. */
function endOf(day: string): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  return new Date(year, month - 1, date + 1).toISOString();
}

const count = (typed: string): number | null => (/^[1-9]\d{0,8}$/.test(typed.trim()) ? Number(typed) : null);

export type Fault = 'name' | 'scopes' | 'requests' | 'tokens' | 'daily' | 'total';

/** The first thing that is not right yet. */
export function faultOf(draft: Draft): Fault | null {
  if (!draft.name.trim()) return 'name';
  if (draft.scopes.length === 0) return 'scopes';
  for (const field of ['requests', 'tokens'] as const) if (draft[field].trim() && count(draft[field]) === null) return field;
  for (const field of ['daily', 'total'] as const) if (draft[field].typed.trim() && draft[field].amount === null) return field;
  return null;
}

/** `before` is the key that is changed: what was not touched stays to the second. */
export function limitsOf(draft: Draft, before: ApiKey | null = null): KeyLimits {
  const until = before?.limits.expires_at;
  const untouched = until && localDay(new Date(until)) === draft.until;
  return {
    scopes: draft.scopes,
    models: entries(draft.models),
    origins: entries(draft.origins),
    requests_per_minute: count(draft.requests),
    tokens_per_minute: count(draft.tokens),
    daily_budget: draft.daily.typed.trim() ? draft.daily.amount : null,
    total_budget: draft.total.typed.trim() ? draft.total.amount : null,
    expires_at: untouched ? until : draft.until ? endOf(draft.until) : null,
  };
}
