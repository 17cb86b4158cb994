import type { ConversationSummary } from '$lib/api/generated';
import { daysAgo } from '$lib/format/figures';
import { m } from '$lib/paraglide/messages';

/** Chats under Pinned, Today, Yesterday, This month, Older; each group keeps the order it came in. */
export function byDay(chats: ConversationSummary[], now = new Date()): { title: string; chats: ConversationSummary[] }[] {
  const groups = new Map<string, ConversationSummary[]>();
  for (const chat of chats) {
    const title = titleOf(chat, now);
    groups.set(title, [...(groups.get(title) ?? []), chat]);
  }
  return [...groups].map(([title, list]) => ({ title, chats: list }));
}

function titleOf(chat: ConversationSummary, now: Date): string {
  if (chat.pinned) return m.day_pinned();
  const days = daysAgo(chat.updated_at, now);
  if (days <= 0) return m.day_today();
  if (days === 1) return m.day_yesterday();
  return days < 31 ? m.day_month() : m.day_older();
}
