// Theme and contrast of this browser. The attribute switches a rule of the stylesheet; `boot.js` sets it again before
// the first paint.
export type Theme = 'system' | 'light' | 'dark';
export type Contrast = 'system' | 'more' | 'normal';

const KEY = 'hearth.look';

class Look {
  theme = $state<Theme>('system');
  contrast = $state<Contrast>('system');

  constructor() {
    try {
      const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { theme?: Theme; contrast?: Contrast };
      this.theme = kept.theme ?? 'system';
      this.contrast = kept.contrast ?? 'system';
    } catch {
      // Without storage the system decides.
    }
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    this.apply();
  }

  setContrast(contrast: Contrast): void {
    this.contrast = contrast;
    this.apply();
  }

  private apply(): void {
    const root = document.documentElement;
    if (this.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = this.theme;
    if (this.contrast === 'system') delete root.dataset.contrast;
    else root.dataset.contrast = this.contrast;
    try {
      localStorage.setItem(KEY, JSON.stringify({ theme: this.theme, contrast: this.contrast }));
    } catch {
      // It still holds for this page.
    }
  }
}
export const look = new Look();
