import Box from '@lucide/svelte/icons/box';
import ChartColumn from '@lucide/svelte/icons/chart-column';
import Flame from '@lucide/svelte/icons/flame';
import ListChecks from '@lucide/svelte/icons/list-checks';
import MessageCircle from '@lucide/svelte/icons/message-circle';
import Settings2 from '@lucide/svelte/icons/settings-2';
import Wallet from '@lucide/svelte/icons/wallet';
import Waypoints from '@lucide/svelte/icons/waypoints';
import type { Page } from '$lib/controllers/router.svelte';
import { m } from '$lib/paraglide/messages';

export const nav = [
  { page: 'chat', icon: MessageCircle, name: () => m.nav_chat() },
  { page: 'earn', icon: Flame, name: () => m.nav_earn() },
  { page: 'models', icon: Box, name: () => m.nav_models() },
  { page: 'wallet', icon: Wallet, name: () => m.nav_wallet() },
  { page: 'network', icon: Waypoints, name: () => m.nav_network() },
  { page: 'settings', icon: Settings2, name: () => m.nav_settings() },
] as const satisfies { page: Page; icon: unknown; name: () => string }[];

/** Reached from Settings, the palette and by keys: no page of its own in the sidebar. */
export const usageEntry = { page: 'usage', icon: ChartColumn, name: () => m.usage_title() } as const satisfies { page: Page; icon: unknown; name: () => string };

/** Reached when nothing is set up, from Settings and the palette. */
export const setupEntry = { page: 'setup', icon: ListChecks, name: () => m.first_title() } as const satisfies { page: Page; icon: unknown; name: () => string };

export const networkTitle = (name: string): string =>
  ({ mainnet: m.network_mainnet(), beta: m.network_beta(), devnet: m.network_devnet() })[name] ?? name;
