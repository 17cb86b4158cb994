// What is typed into a field while what the node keeps may be read anew.

export class Field {
  #typed = $state<string | null>(null);
  readonly #kept: () => string;

  constructor(kept: () => string) {
    this.#kept = kept;
  }

  /** What was typed; what is kept until then. */
  get value(): string {
    return this.#typed ?? this.#kept();
  }
  set value(typed: string) {
    this.#typed = typed;
  }

  /** It was saved: what is kept counts again. */
  reset(): void {
    this.#typed = null;
  }
}
