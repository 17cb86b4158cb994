// What an API key may do and has spent, in a few words.
import type { ApiKey, KeyLimits, Scope, UsageSum } from '$lib/api/generated';
import { dateAndClock, integer } from '$lib/format/figures';
import { isZero, plain } from '$lib/format/money';
import { m } from '$lib/paraglide/messages';

const scopeNames: Record<Scope, () => string> = {
  local: () => m.scope_local(),
  network: () => m.scope_network(),
  embeddings: () => m.scope_embeddings(),
  signatures: () => m.scope_signatures(),
};
export const keyScope = (scope: Scope): string => scopeNames[scope]();

export function keyLimits(limits: KeyLimits): string {
  const parts = [
    (limits.scopes ?? []).map(keyScope).join(', '),
    (limits.models ?? []).join(' '),
    (limits.origins ?? []).join(' '),
    limits.requests_per_minute ? m.limit_requests({ count: limits.requests_per_minute }) : '',
    limits.tokens_per_minute ? m.limit_tokens({ count: limits.tokens_per_minute }) : '',
    limits.daily_budget ? m.limit_daily({ budget: plain(limits.daily_budget) }) : '',
    limits.total_budget ? m.limit_total({ budget: plain(limits.total_budget) }) : '',
    limits.expires_at ? m.limit_until({ time: dateAndClock(limits.expires_at) }) : '',
  ];
  return parts.filter(Boolean).join(' · ');
}

/** Why nobody may call with it, if so. */
export function keyState(key: ApiKey, now = Date.now()): string | null {
  if (key.revoked_at) return m.key_revoked();
  return key.limits.expires_at && new Date(key.limits.expires_at).getTime() <= now ? m.key_expired() : null;
}

export const keySpent = (key: ApiKey): string | null =>
  isZero(key.spent) ? null : m.key_spent({ today: plain(key.spent_today), all: plain(key.spent) });

export function askerName(sum: Pick<UsageSum, 'asker' | 'key_name'>): string {
  if (sum.asker === 'owner') return m.asker_owner();
  if (sum.asker === 'local') return m.asker_local();
  return sum.key_name ?? m.asker_gone();
}

export const tokensOf = (sum: UsageSum): string => integer(sum.counts.prompt_tokens + sum.counts.completion_tokens);
