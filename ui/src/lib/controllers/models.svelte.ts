// Models, downloads and the catalogue; also which model the next chat uses.
import type { Download, Model } from '$lib/api/generated';
import { call } from '$lib/api/request';
import { Loaded } from './load.svelte';
import { node } from './node.svelte';

const LAST_MODEL = 'hearth.model';

class Models {
  readonly list = new Loaded(async () => (await call('GET /models')).models);
  readonly catalogue = new Loaded(() => call('GET /catalogue'));
  private readonly readDownloads = new Loaded(async () => (await call('GET /downloads')).downloads);
  preferred = $state<string | null>(null);
  /** What the settings say for a new chat. */
  fallback = $state<string | null>(null);

  constructor() {
    try {
      this.preferred = localStorage.getItem(LAST_MODEL);
    } catch {
      // Then the first model that is ready.
    }
  }

  loadAll(): void {
    void this.list.load();
    void this.readDownloads.load();
  }

  /** Downloads that were read, with the events that came since laid over them. */
  get downloads(): Download[] {
    const moved = node.state.downloads;
    const read = this.readDownloads.value ?? [];
    const known = new Set(read.map((one) => one.cid));
    const fresh = Object.values(moved).filter((one) => !known.has(one.cid));
    return [...read.map((one) => moved[one.cid] ?? one), ...fresh].filter((one) => one.state !== 'ready');
  }

  /** Whether a model can be fetched without a source of its own; until it is known nobody is kept from trying. */
  get sourceConfigured(): boolean {
    return this.catalogue.value?.source_configured ?? true;
  }

  reloadDownloads(): Promise<void> {
    return this.readDownloads.load();
  }

  get chatModels(): Model[] {
    return (this.list.value ?? []).filter((model) => model.task === 'chat');
  }

  /** A model that could be asked as soon as somebody serves it. */
  get waitsForSuppliers(): boolean {
    return this.chatModels.some((model) => model.unavailable?.code === 'no_supplier');
  }

  find(id: string | null | undefined): Model | null {
    return this.list.value?.find((model) => model.id === id) ?? null;
  }

  /** What may be taken without a person's choice: what is here and costs nothing first, of the network what somebody serves. */
  get defaults(): Model[] {
    const isNetwork = (model: Model) => model.kind === 'network';
    return [...this.chatModels.filter((model) => !isNetwork(model)), ...this.chatModels.filter((model) => isNetwork(model) && isServed(model))];
  }

  /** The model for a chat: the chat's own, the last one chosen, the one of the settings, the first that is ready. */
  choose(own: string | null | undefined): Model | null {
    const usable = (id: string | null | undefined) => {
      const model = this.find(id);
      return model && model.task === 'chat' ? model : null;
    };
    return (
      usable(own) ??
      usable(this.preferred) ??
      usable(this.fallback) ??
      this.defaults.find((model) => isUsable(model)) ??
      this.defaults[0] ??
      null
    );
  }

  prefer(id: string): void {
    this.preferred = id;
    try {
      localStorage.setItem(LAST_MODEL, id);
    } catch {
      // It holds for this page.
    }
  }
}

export const isUsable = (model: Model): boolean =>
  model.state === 'ready' || model.state === 'loaded' || model.state === 'loading';

/** Whether somebody serves it. Suppliers are counted only where an answer could be bought. */
const isServed = (model: Model): boolean => (model.suppliers ?? (isUsable(model) ? 1 : 0)) > 0;

export const models = new Models();
