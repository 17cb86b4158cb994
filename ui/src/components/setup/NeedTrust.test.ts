import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, test, vi } from 'vitest';
import type { NetworkPage } from '$lib/api/generated';
import { config } from '$lib/controllers/config.svelte';
import { network } from '$lib/controllers/network.svelte';
import { toasts } from '$lib/controllers/toasts.svelte';
import NeedTrust from './NeedTrust.svelte';

afterEach(() => {
  vi.unstubAllGlobals();
  network.page.value = config.page.value = null;
});

test('a block that is given counts after a restart, and that is said', async () => {
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ settings: [], needs_restart: true })));
  render(NeedTrust, { source: 'agreed by 2 endpoints' });
  await fireEvent.input(screen.getByLabelText('Height'), { target: { value: '5' } });
  await fireEvent.input(screen.getByLabelText('Hash'), { target: { value: 'AB'.repeat(32) } });
  await fireEvent.click(screen.getByRole('button', { name: 'Save' }));
  await vi.waitFor(() => expect(toasts.list.at(-1)?.detail).toMatch(/started anew/));
});

test('without a block of the endpoints nothing is said of one', () => {
  network.page.value = { trust: null } as unknown as NetworkPage;
  const { container } = render(NeedTrust, { source: '' });
  expect(container.textContent).toMatch(/have not agreed on a block yet/);
  expect(container.textContent).not.toMatch(/unknown/);
});
