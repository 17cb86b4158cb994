// How full the context of a model is, in words.
import type { ContextUse } from '$lib/api/generated';
import { integer } from '$lib/format/figures';
import { m } from '$lib/paraglide/messages';

const WARN_PERCENT = 85;

export type ContextWords = { short: string; percent: number; tone: 'plain' | 'warn' | 'full'; warning: string | null };

/** An empty chat of a model whose limit nobody knows has nothing to say. */
export const isWorthSaying = (use: ContextUse, isEmpty: boolean): boolean => Boolean(use.limit) || !isEmpty;

export function contextWords(use: ContextUse): ContextWords {
  const about = use.is_exact ? '' : '≈\u00a0';
  const tokens = `${about}${integer(use.tokens)}`;
  if (!use.limit) return { short: m.context_tokens({ tokens }), percent: 0, tone: 'plain', warning: null };
  const percent = Math.min(100, (use.tokens / use.limit) * 100);
  const short = m.context_of({ tokens, limit: integer(use.limit) });
  if (use.tokens >= use.limit) return { short, percent, tone: 'full', warning: m.context_full() };
  if (percent >= WARN_PERCENT) return { short, percent, tone: 'warn', warning: m.context_nearly_full() };
  return { short, percent, tone: 'plain', warning: null };
}
