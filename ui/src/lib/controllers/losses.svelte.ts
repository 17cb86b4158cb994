// Says at once, and once, that a session ended badly or that the chain took of the stake. The notes of the node say it
// to whoever comes later.
import type { EarnedSession } from '$lib/api/generated';
import { m } from '$lib/paraglide/messages';
import { lostWords, slashWords } from '$lib/words/earn';
import { toasts } from './toasts.svelte';

class Losses {
  private readonly said = new Set<string>();

  /** A session that moved. */
  see(session: EarnedSession): void {
    if (session.stage === 'lost' && this.isNew(`lost ${session.id}`)) {
      const { title, detail } = lostWords(session);
      toasts.add(title, detail, session.state === 'skipped' ? 'warn' : 'danger');
    }
    if (session.slash && this.isNew(`slash ${session.id}`)) {
      toasts.add(m.reason_slashed(), slashWords(session.slash), 'danger');
    }
  }

  private isNew(what: string): boolean {
    const isNew = !this.said.has(what);
    this.said.add(what);
    return isNew;
  }
}
export const losses = new Losses();
