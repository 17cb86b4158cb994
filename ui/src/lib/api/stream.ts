// Server-sent events over fetch: it can POST, carries the cookie, and shows a 401, none of which EventSource does.
import { send, type AnswerOf, type Call, type Options } from './request';

/** Splits a byte stream into the `data` of its events, however the bytes were cut. */
export class EventSplitter {
  private rest = '';
  private readonly decoder = new TextDecoder();

  push(bytes: Uint8Array): string[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    const events: string[] = [];
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.rest);
      if (!end) return events;
      const data = dataOf(this.rest.slice(0, end.index));
      this.rest = this.rest.slice(end.index + end[0].length);
      if (data !== null) events.push(data);
    }
  }
}

function dataOf(block: string): string | null {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith('data:'));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice(5).replace(/^ /, '')).join('\n');
}

/** Gives every event of a streamed call to `take`, and returns when the stream ends. */
export async function stream<C extends Call>(
  name: C,
  options: Options<C>,
  take: (event: AnswerOf<C>) => void,
  opened?: () => void,
): Promise<void> {
  const response = await send(name, options, 'text/event-stream');
  opened?.();
  const reader = response.body?.getReader();
  if (!reader) return;
  const splitter = new EventSplitter();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const data of splitter.push(value)) take(JSON.parse(data) as AnswerOf<C>);
  }
}
