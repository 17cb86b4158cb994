// Settings are saved at once, each by itself.
import type { SettingsPatch } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { useLocale } from '$lib/i18n/locale.svelte';
import { Action, Loaded } from './load.svelte';
import { look } from './look.svelte';
import { models } from './models.svelte';

class SettingsState {
  readonly all = new Loaded(() => call('GET /settings'));
  readonly keys = new Loaded(async () => (await call('GET /keys')).keys);
  readonly login = new Loaded(() => call('GET /auth/login'));
  readonly saving = new Action();

  /** Reads the settings and makes the page follow them. */
  async apply(): Promise<void> {
    await this.all.load();
    this.follow();
  }

  async save(patch: SettingsPatch): Promise<void> {
    const saved = await this.saving.run(() => call('PATCH /settings', { body: patch }));
    if (saved) this.all.value = saved;
    this.follow();
  }

  private follow(): void {
    const settings = this.all.value;
    if (!settings) return;
    if (settings.theme !== look.theme) look.setTheme(settings.theme);
    useLocale(settings.language || null);
    models.fallback = settings.default_model ?? null;
  }
}
export const settings = new SettingsState();
