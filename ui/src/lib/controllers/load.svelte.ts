// Something that is read from the API and read again when a counter moves. It keeps the last values while it reads and
// when reading fails, with the error beside them.
import { ApiError } from '$lib/api/request';

/** The most rows of a list that the API gives at once. */
export const MOST_ROWS = 500;

export class Loaded<T> {
  value = $state.raw<T | null>(null);
  error = $state.raw<ApiError | null>(null);
  /** When the value was read. */
  at = $state<Date | null>(null);
  private running: Promise<void> | null = null;
  private again = false;

  /** `isThere`: whether it can be there at all; what is known not to be is not asked for. */
  constructor(
    private readonly read: () => Promise<T>,
    private readonly isThere: () => boolean = () => true,
  ) {}

  /** Reads it; calls while it reads are joined to one more reading, and end with it. */
  load(): Promise<void> {
    if (!this.isThere()) return Promise.resolve();
    if (this.running) {
      this.again = true;
      return this.running;
    }
    this.running = this.readAll().finally(() => (this.running = null));
    return this.running;
  }

  private async readAll(): Promise<void> {
    do {
      this.again = false;
      await this.once();
    } while (this.again);
  }

  private async once(): Promise<void> {
    try {
      this.value = await this.read();
      this.error = null;
      this.at = new Date();
    } catch (error) {
      this.error = asApiError(error);
    }
  }
}

export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(0, 'unexpected', error instanceof Error ? error.message : String(error), null);
}

/** An action with its progress and its error, for one button. */
export class Action {
  running = $state(false);
  error = $state.raw<ApiError | null>(null);

  async run<T>(work: () => Promise<T>): Promise<T | null> {
    this.running = true;
    this.error = null;
    try {
      return await work();
    } catch (error) {
      this.error = asApiError(error);
      return null;
    } finally {
      this.running = false;
    }
  }
}
