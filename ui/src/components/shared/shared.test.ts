import { render, screen } from '@testing-library/svelte';
import { describe, expect, test, vi } from 'vitest';
import { node } from '$lib/controllers/node.svelte';
import Markdown from '../chat/Markdown.svelte';
import Pipeline from '../earn/Pipeline.svelte';
import ErrorNote from './ErrorNote.svelte';
import Money from './Money.svelte';
import More from './More.svelte';
import ProofBadge from './ProofBadge.svelte';
import StageBadge from './StageBadge.svelte';

describe('money and its standing', () => {
  test('the last four decimals are dimmer', () => {
    const { container } = render(Money, { amount: '1284615888', sign: '+' });
    expect(container.textContent?.trim()).toBe('+\u00a01,284.615888');
    expect(container.querySelector('.text-ink-3')?.textContent).toBe('5888');
  });
  test.each([
    ['proven', /Proven at block 871,208/],
    ['unverified', /Not verified yet/],
    ['stale', /Stale/],
  ] as const)('%s', (trust, words) => {
    render(ProofBadge, { standing: { trust, height: 871_208 } });
    expect(screen.getByTestId('proof').textContent).toMatch(words);
  });
  test('a bad end has its own words', () => {
    const { container } = render(StageBadge, { stage: 'lost', state: 'proof_missed' });
    expect(container.textContent).toMatch(/Proof missed/);
  });
  test('nothing is connected before the start', () => expect(node.status).toBeNull());
});

test('the last stage of the money is the proven balance, a dash while it is not known', async () => {
  const { container, rerender } = render(Pipeline, { sums: [], head: null });
  const last = () => container.querySelector('[data-stage=spendable]')?.textContent?.replaceAll(/\s+/g, ' ') ?? '';
  expect(last()).toMatch(/– not known yet/);
  expect(container.querySelector('[data-stage=pending]')?.textContent).toMatch(/0\.00/);
  await rerender({ sums: [], head: null, balance: { spendable: '1284615888', standing: { trust: 'proven', height: 871_208 } } });
  expect(last()).toMatch(/1,284\.61 in your wallet now Proven at block 871,208/);
});

test('a finished answer and a streamed one look the same', async () => {
  const text = '# A\n\n- b\n- c\n\n```\ncode\n```\n\nend **x**';
  const whole = render(Markdown, { text });
  const streamed = render(Markdown, { text: '# A\n\n-', streaming: true });
  await streamed.rerender({ text: '# A\n\n- b\n- c\n\n```\nco', streaming: true });
  await streamed.rerender({ text, streaming: false });
  expect(streamed.container.textContent).toBe(whole.container.textContent);
  expect(streamed.container.querySelectorAll('h1, li, pre, strong').length).toBe(5);
});

test('a long list has a button for more until the API gives no more at once', () => {
  const onmore = vi.fn();
  const { container, rerender } = render(More, { shown: 20, total: 900, table: true, onmore });
  screen.getByRole('button', { name: 'Show more' }).click();
  expect(onmore).toHaveBeenCalledOnce();
  return rerender({ shown: 500 }).then(() => {
    expect(container.querySelector('button')).toBeNull();
    expect(container.textContent).toMatch(/The newest 500 are shown\. The table \(CSV\) has all of them\./);
  });
});

test('what the words of an error say already is not said again', () => {
  const text = (code: string) => render(ErrorNote, { error: { code, message: 'x', remedy: null }, safe: 'Nothing left your wallet.' }).container.textContent ?? '';
  for (const code of ['not_enough', 'memo_too_long']) expect(text(code).match(/Nothing left your wallet/g), code).toHaveLength(1);
  expect(text('no_wallet')).toMatch(/Nothing left your wallet\.\s/);
});
