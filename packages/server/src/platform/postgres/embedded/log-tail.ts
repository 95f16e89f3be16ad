import {
  closeSync,
  copyFileSync,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
  watch,
} from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { type LogEntry, parseLogLine } from "./log-line.ts";

const KEPT_LINES = 40;
/** For file systems that do not tell of changes. */
const LOOK_EVERY_MS = 1_000;

/**
 * Follows PostgreSQL's log file. PostgreSQL writes to a file and not to a pipe of ours, so that it keeps its log when we
 * die and is found again, still readable, by the next start.
 */
export class LogTail {
  readonly #path: string;
  readonly #limitBytes: number;
  readonly #onEntry: (entry: LogEntry) => void;
  readonly #fd: number;
  readonly #watcher: FSWatcher | null;
  readonly #timer: NodeJS.Timeout;
  readonly #last: string[] = [];
  /** Called after new entries. One at a time: who waits for PostgreSQL to be ready. */
  onChange: (() => void) | null = null;
  #decoder = new StringDecoder("utf8");
  #rest = "";
  #offset: number;

  /** Begins at the file's present end. `onEntry` must not throw. The caller closes it. */
  constructor(path: string, limitBytes: number, onEntry: (entry: LogEntry) => void) {
    this.#path = path;
    this.#limitBytes = limitBytes;
    this.#onEntry = onEntry;
    this.#fd = openSync(path, "a+", 0o600);
    this.#offset = fstatSync(this.#fd).size;
    this.#watcher = watchQuietly(path, () => this.drain());
    this.#timer = setInterval(() => this.drain(), LOOK_EVERY_MS).unref();
  }

  /** The file, opened for appending: what PostgreSQL gets as its standard output. */
  get fd(): number {
    return this.#fd;
  }

  /** The last lines seen, oldest first. */
  lastLines(): readonly string[] {
    this.drain();
    return this.#last.slice();
  }

  /** Bytes seen so far; grows while PostgreSQL writes. */
  get position(): number {
    return this.#offset;
  }

  /** Reads what has been written since. */
  drain(): void {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    for (;;) {
      const count = readSync(this.#fd, buffer, 0, buffer.length, this.#offset);
      if (count === 0) break;
      this.#offset += count;
      this.#take(this.#decoder.write(buffer.subarray(0, count)));
    }
    if (this.#offset >= this.#limitBytes) this.#rotate();
  }

  close(): void {
    this.drain();
    clearInterval(this.#timer);
    this.#watcher?.close();
    closeSync(this.#fd);
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line === "") continue;
      this.#last.push(line);
      if (this.#last.length > KEPT_LINES) this.#last.shift();
      this.#onEntry(parseLogLine(line));
    }
    this.onChange?.();
  }

  // PostgreSQL holds the file open for appending, so it cannot be renamed away: it is copied and cut. What is written in
  // between is lost from the file, never from what was reported above.
  #rotate(): void {
    if (statSync(this.#path).size > this.#offset) return;
    copyFileSync(this.#path, `${this.#path}.1`);
    truncateSync(this.#path, 0);
    this.#offset = 0;
    this.#decoder = new StringDecoder("utf8");
  }
}

/** `null` where changes cannot be watched (no inotify watches left, network disks): the timer still looks. */
function watchQuietly(path: string, onChange: () => void): FSWatcher | null {
  try {
    const watcher = watch(path, { persistent: false }, onChange);
    watcher.on("error", () => {});
    return watcher;
  } catch {
    return null;
  }
}
