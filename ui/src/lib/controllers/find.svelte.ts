// Find in chat: whether its bar is open, for what, and where a search of all chats leads to.

type Wish = { conversation: string; message: string; words: string };

class Find {
  open = $state(false);
  query = $state('');
  /** What a search found in this conversation, until it was shown. */
  wish = $state.raw<Wish | null>(null);
  /** Words that came from a search: they need not stand beside each other. */
  isLoose = $state(false);
  /** Rises whenever the bar is to take the focus. */
  asked = $state(0);

  show(): void {
    this.open = true;
    this.asked += 1;
  }

  type(words: string): void {
    this.query = words;
    this.isLoose = false;
  }

  close(): void {
    this.open = false;
    this.wish = null;
  }

  /** The conversation comes later; its bar opens at the message without taking the focus. */
  seek(conversation: string, message: string, words: string): void {
    this.wish = { conversation, message, words };
    this.query = words;
    this.isLoose = true;
    this.open = true;
  }
}

export const find = new Find();
