import type { ConversationSummary } from '$lib/api/generated';
import { daysAgo } from '$lib/format/figures';
import { m } from '$lib/paraglide/messages';

export type DayGroup = { title: string; isPinned: boolean; chats: ConversationSummary[] };

/** Chats under Pinned, Today, Yesterday, This month, Older; each group keeps the order it came in. */
export function byDay(chats: ConversationSummary[], now = new Date()): DayGroup[] {
  const groups = new Map<string, DayGroup>();
  for (const chat of chats) {
    const title = titleOf(chat, now);
    const group = groups.get(title) ?? { title, isPinned: chat.pinned, chats: [] };
    group.chats.push(chat);
    groups.set(title, group);
  }
  return [...groups.values()];
}

function titleOf(chat: ConversationSummary, now: Date): string {
  if (chat.pinned) return m.day_pinned();
  const days = daysAgo(chat.updated_at, now);
  if (days <= 0) return m.day_today();
  if (days === 1) return m.day_yesterday();
  return days < 31 ? m.day_month() : m.day_older();
}
