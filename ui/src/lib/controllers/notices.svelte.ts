// Notes about money that a person has read and put away. One comes back when there is more to say: its fact differs.
import type { Reason } from '$lib/api/generated';

const KEY = 'hearth.read-notes';
const MOST = 20; // the oldest are forgotten
const nameOf = (note: Reason): string => `${note.code} ${note.fact ?? ''}`;

class Notices {
  private read = $state.raw<string[]>([]);

  constructor() {
    try {
      this.read = JSON.parse(localStorage.getItem(KEY) ?? '[]') as string[];
    } catch {
      // Without storage they are said again on the next visit.
    }
  }

  isRead(note: Reason): boolean {
    return this.read.includes(nameOf(note));
  }

  hide(note: Reason): void {
    this.read = [...this.read, nameOf(note)].slice(-MOST);
    try {
      localStorage.setItem(KEY, JSON.stringify(this.read));
    } catch {
      // It holds for this page.
    }
  }
}
export const notices = new Notices();
