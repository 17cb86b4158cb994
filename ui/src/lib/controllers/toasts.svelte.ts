export type Toast = { id: number; tone: 'ok' | 'info' | 'warn' | 'danger'; title: string; detail?: string };

class Toasts {
  list = $state<Toast[]>([]);
  private next = 1;

  /** Something happened while the page is open. What needs action is a banner in its place, never a toast alone. */
  add(title: string, detail?: string, tone: Toast['tone'] = 'ok'): void {
    const id = this.next++;
    this.list = [...this.list, { id, tone, title, detail }].slice(-2);
    setTimeout(() => this.drop(id), 6000);
  }

  drop(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}
export const toasts = new Toasts();
