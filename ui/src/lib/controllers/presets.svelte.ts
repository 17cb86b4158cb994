// Presets: settings to begin a chat with.
import type { NewPreset, Preset } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';

class Presets {
  readonly read = new Loaded(async () => (await call('GET /presets')).presets);

  get all(): Preset[] {
    return this.read.value ?? [];
  }

  async create(preset: NewPreset): Promise<void> {
    await call('POST /presets', { body: preset });
    await this.read.load();
  }

  async rename(id: string, name: string): Promise<void> {
    await call('PATCH /presets/{id}', { path: { id }, body: { name } });
    await this.read.load();
  }

  async remove(id: string): Promise<void> {
    await call('DELETE /presets/{id}', { path: { id } });
    await this.read.load();
  }
}

export const presets = new Presets();
