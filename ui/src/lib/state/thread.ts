// A conversation as a tree of messages, the branch that is shown, and the reducer of a streamed answer.
import type { AnswerEvent, Conversation, Message } from '$lib/api/generated';

/** A message of the shown branch with its place among its siblings. */
export type Shown = { message: Message; siblings: string[]; index: number };

function byParent(messages: Message[]): Map<string | null, Message[]> {
  const children = new Map<string | null, Message[]>();
  for (const message of messages) {
    const parent = message.parent_id ?? null;
    children.set(parent, [...(children.get(parent) ?? []), message]);
  }
  return children;
}

/** The newest leaf below a message: where a branch ends when one switches to it. */
export function leafBelow(messages: Message[], id: string): string {
  const children = byParent(messages);
  let at = id;
  for (;;) {
    const next = children.get(at)?.at(-1);
    if (!next) return at;
    at = next.id;
  }
}

/** The shown branch, from the first message to the head. */
export function shownBranch(conversation: Pick<Conversation, 'messages' | 'head_id'>): Shown[] {
  const byId = new Map(conversation.messages.map((message) => [message.id, message]));
  const children = byParent(conversation.messages);
  const branch: Shown[] = [];
  let at = conversation.head_id ?? conversation.messages.at(-1)?.id ?? null;
  while (at !== null) {
    const message = byId.get(at);
    if (!message) break;
    const siblings = (children.get(message.parent_id ?? null) ?? []).map((one) => one.id);
    branch.unshift({ message, siblings, index: siblings.indexOf(message.id) });
    at = message.parent_id ?? null;
  }
  return branch;
}

function put(messages: Message[], message: Message): Message[] {
  const at = messages.findIndex((one) => one.id === message.id);
  return at < 0 ? [...messages, message] : messages.with(at, message);
}

/** The conversation after one event of the answer that is being written into it. */
export function reduceAnswer(conversation: Conversation, answerId: string | null, event: AnswerEvent): Conversation {
  switch (event.type) {
    case 'started': {
      const asked = event.question ? put(conversation.messages, event.question) : conversation.messages;
      return { ...conversation, messages: put(asked, event.answer), head_id: event.answer.id, answering: event.answer.id };
    }
    case 'delta': {
      const at = conversation.messages.findIndex((message) => message.id === answerId);
      const message = conversation.messages[at];
      if (!message) return conversation;
      const grown = { ...message, content: message.content + event.text };
      return { ...conversation, messages: conversation.messages.with(at, grown) };
    }
    case 'finished':
      return { ...ended(conversation, event.answer.id), messages: put(conversation.messages, event.answer) };
    case 'failed':
      return { ...ended(conversation, event.answer.id), messages: put(conversation.messages, { ...event.answer, error: event.error }) };
    default:
      return never(conversation, event);
  }
}

const ended = (conversation: Conversation, answer: string): Conversation =>
  conversation.answering === answer ? { ...conversation, answering: null } : conversation;

function never(conversation: Conversation, _event: never): Conversation {
  return conversation;
}

/** Splits leading thinking off an answer; `open` while its end has not come yet. */
export function splitThinking(text: string): { thinking: string; open: boolean; answer: string } {
  const start = /^\s*<think>/.exec(text);
  if (!start) return { thinking: '', open: false, answer: text };
  const inner = text.slice(start[0].length);
  const end = inner.indexOf('</think>');
  if (end < 0) return { thinking: inner.trim(), open: true, answer: '' };
  return { thinking: inner.slice(0, end).trim(), open: false, answer: inner.slice(end + 8).replace(/^\s+/, '') };
}

const SHORT = 40;
const LONGEST_THOUGHT_MS = 3_600_000;

/** Since when an answer thinks: from its first words on, or, where they were written before one looked, from its time. */
export function thoughtSince(message: Pick<Message, 'content' | 'created_at'>, now: number): number {
  const created = Date.parse(message.created_at);
  const isLate = message.content.length > SHORT && created <= now && now - created < LONGEST_THOUGHT_MS;
  return isLate ? created : now;
}
