// The list of chats: what was read with what moved since laid over it, and its groups.
import type { ConversationSummary } from '$lib/api/generated';

export type Moved = Record<string, ConversationSummary | 'deleted'>;

/** Pinned first, then the newest. What moved and does not fit the list (any more) is left out. */
export function mergeConversations(
  read: ConversationSummary[],
  moved: Moved,
  fits: (one: ConversationSummary) => boolean = () => true,
): ConversationSummary[] {
  const byId = new Map(read.map((one) => [one.id, one]));
  for (const [id, one] of Object.entries(moved)) {
    if (one === 'deleted') byId.delete(id);
    else byId.set(id, { ...one, snippet: byId.get(id)?.snippet ?? one.snippet });
  }
  return [...byId.values()]
    .filter(fits)
    .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.updated_at.localeCompare(a.updated_at));
}

/** Hits of a search keep their order and their hit; what moved since lies over them. */
export function mergeHits(read: ConversationSummary[], moved: Moved): ConversationSummary[] {
  return read.flatMap((one) => {
    const now = moved[one.id];
    if (now === 'deleted') return [];
    return now ? { ...now, snippet: one.snippet, hit_id: one.hit_id } : one;
  });
}
