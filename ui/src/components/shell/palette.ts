// What the palette finds: actions, pages, models, chats. It never signs and never sends.
import Box from '@lucide/svelte/icons/box';
import Contrast from '@lucide/svelte/icons/contrast';
import Keyboard from '@lucide/svelte/icons/keyboard';
import Lock from '@lucide/svelte/icons/lock';
import MessageCircle from '@lucide/svelte/icons/message-circle';
import Moon from '@lucide/svelte/icons/moon';
import Play from '@lucide/svelte/icons/play';
import Square from '@lucide/svelte/icons/square';
import SquarePen from '@lucide/svelte/icons/square-pen';
import Sun from '@lucide/svelte/icons/sun';
import type { Component } from 'svelte';
import { call } from '$lib/api/request';
import { chat } from '$lib/controllers/chat.svelte';
import { earn } from '$lib/controllers/earn.svelte';
import { bindings, keys } from '$lib/controllers/keys.svelte';
import { look } from '$lib/controllers/look.svelte';
import { isUsable, models } from '$lib/controllers/models.svelte';
import { node } from '$lib/controllers/node.svelte';
import { router } from '$lib/controllers/router.svelte';
import { settings } from '$lib/controllers/settings.svelte';
import { wallet } from '$lib/controllers/wallet.svelte';
import { m } from '$lib/paraglide/messages';
import { modelPrice } from '$lib/words/models';
import { nav, setupEntry, usageEntry } from './nav';

type Icon = Component<{ size?: number; strokeWidth?: number }>;
export type Entry = { id: string; title: string; icon: Icon; aside?: string; keys?: string[]; run: () => void };
export type Group = { title: string; entries: Entry[] };

const MOST = 6;

function actions(onhelp: () => void): Entry[] {
  const list: Entry[] = [
    { id: 'new-chat', title: m.key_new_chat(), icon: SquarePen, keys: bindings['new-chat'].shown, run: () => keys.run('new-chat') },
  ];
  if (earn.canStop) {
    list.push({ id: 'stop', title: m.earn_stop_palette(), icon: Square, keys: bindings['toggle-earning'].shown, run: () => void earn.stop() });
  } else if (earn.canStart) {
    list.push({ id: 'start', title: m.earn_start(), icon: Play, keys: bindings['toggle-earning'].shown, run: () => void earn.start() });
  }
  const status = node.status?.wallet;
  if (status?.exists && !status.main_locked) {
    list.push({ id: 'lock', title: m.wallet_lock(), icon: Lock, keys: bindings['lock-wallet'].shown, run: () => void wallet.lock() });
  }
  const theme = (value: 'light' | 'dark' | 'system', icon: Icon, title: string) => {
    if (look.theme !== value) list.push({ id: `theme-${value}`, title, icon, run: () => void settings.save({ theme: value }) });
  };
  theme('light', Sun, m.palette_light());
  theme('dark', Moon, m.palette_dark());
  theme('system', Contrast, m.palette_system());
  list.push({ id: 'keys', title: m.key_help(), icon: Keyboard, keys: bindings.help.shown, run: onhelp });
  return list;
}

function pages(): Entry[] {
  return [...nav, usageEntry, setupEntry].map((item) => ({
    id: `page-${item.page}`,
    title: item.name(),
    icon: item.icon as unknown as Icon,
    ...(item.page === 'setup' ? {} : { keys: ['g', item.page[0] ?? ''] }),
    run: () => router.go(item.page),
  }));
}

function modelEntries(): Entry[] {
  return models.chatModels.filter(isUsable).map((model) => ({
    id: `model-${model.id}`,
    title: m.palette_use_model({ name: model.title }),
    icon: Box,
    aside: modelPrice(model),
    run: () => {
      models.prefer(model.id);
      router.go('chat');
    },
  }));
}

export async function findChats(query: string, signal: AbortSignal): Promise<Entry[]> {
  const { conversations } = await call('GET /conversations', { query: { q: query, limit: MOST }, signal });
  return conversations.map((one) => ({
    id: `chat-${one.id}`,
    title: one.title,
    icon: MessageCircle,
    aside: query ? (one.snippet ?? undefined) : undefined,
    run: () => chat.openHit(one, query),
  }));
}

export function groupsOf(query: string, chats: Entry[], onhelp: () => void): Group[] {
  const hits = (entries: Entry[]) => entries.filter((entry) => matches(entry.title, query)).slice(0, query ? MOST : undefined);
  return [
    { title: m.palette_actions(), entries: hits(actions(onhelp)) },
    { title: m.palette_pages(), entries: hits(pages()) },
    { title: m.nav_models(), entries: hits(modelEntries()) },
    // The node has searched the text, too, so the title need not match.
    { title: m.palette_chats(), entries: chats },
  ].filter((group) => group.entries.length > 0);
}

const fold = (text: string): string => text.toLocaleLowerCase();

export const matches = (title: string, query: string): boolean =>
  query.trim() === '' || fold(query).trim().split(/\s+/).every((word) => fold(title).includes(word));

/** The title with the first hit of the query marked. */
export function marked(title: string, query: string): { text: string; hit: boolean }[] {
  const word = fold(query).trim().split(/\s+/)[0] ?? '';
  const at = word ? fold(title).indexOf(word) : -1;
  if (at < 0) return [{ text: title, hit: false }];
  return [
    { text: title.slice(0, at), hit: false },
    { text: title.slice(at, at + word.length), hit: true },
    { text: title.slice(at + word.length), hit: false },
  ].filter((part) => part.text !== '');
}
