/** What may wait. */
export interface InboxLimits {
  readonly messages: number;
  readonly bytes: number;
}

/**
 * Hands one socket's messages to its handler in order, each when the one before it is done. Beyond the limits the socket is not read any
 * further, so that the client's own TCP has to wait: nothing is dropped, and what is held stays within the limits and one read of the
 * socket.
 */
export class Inbox<Message> {
  readonly #limits: InboxLimits;
  readonly #handle: (message: Message) => void | Promise<void>;
  readonly #reader: { pause(): void; resume(): void };
  readonly #onFailed: (error: unknown) => void;
  #waiting: { readonly message: Message; readonly sizeBytes: number }[] = [];
  #bytes = 0;
  #isBusy = false;
  #isPaused = false;
  #onIdle: (() => void) | null = null;

  constructor(needs: {
    readonly limits: InboxLimits;
    readonly handle: (message: Message) => void | Promise<void>;
    readonly reader: { pause(): void; resume(): void };
    readonly onFailed: (error: unknown) => void;
  }) {
    this.#limits = needs.limits;
    this.#handle = needs.handle;
    this.#reader = needs.reader;
    this.#onFailed = needs.onFailed;
  }

  /** True while the client is kept waiting: its silence says nothing. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  add(message: Message, sizeBytes: number): void {
    if (!this.#isBusy) return this.#start(message);
    this.#waiting.push({ message, sizeBytes });
    this.#bytes += sizeBytes;
    if (!this.#isPaused && (this.#waiting.length > this.#limits.messages || this.#bytes > this.#limits.bytes)) {
      this.#isPaused = true;
      this.#reader.pause();
    }
  }

  /** Forgets what waits, and calls back when what is being handled is done: at once when nothing is. */
  end(onIdle: () => void): void {
    this.#waiting = [];
    this.#bytes = 0;
    if (this.#isBusy) this.#onIdle = onIdle;
    else onIdle();
  }

  /** Forgets what waits, and goes on reading: the client's goodbye is still to come. */
  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#goOn();
  }

  #start(message: Message): void {
    try {
      const done = this.#handle(message);
      if (!(done instanceof Promise)) return;
      this.#isBusy = true;
      done.then(() => this.#next(), this.#failed);
    } catch (error) {
      this.#onFailed(error);
    }
  }

  readonly #failed = (error: unknown): void => {
    this.#onFailed(error);
    this.#next();
  };

  #next(): void {
    this.#isBusy = false;
    while (!this.#isBusy && this.#waiting.length > 0) {
      const { message, sizeBytes } = this.#waiting.shift()!;
      this.#bytes -= sizeBytes;
      this.#start(message);
    }
    if (this.#isBusy) {
      if (this.#waiting.length * 2 <= this.#limits.messages && this.#bytes * 2 <= this.#limits.bytes) this.#goOn();
      return;
    }
    this.#goOn();
    const onIdle = this.#onIdle;
    this.#onIdle = null;
    onIdle?.();
  }

  #goOn(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#reader.resume();
  }
}
