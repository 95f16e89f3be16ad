import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Frame, FrameReader, frameStart } from "./frames.ts";
import { imageKindOf, kindBytes } from "./image-kind.ts";
import { imageProblems } from "./problems.ts";
import { reasonOfEnd, residentBytes, standBack } from "./renderer-process.ts";
import type { RenderLimits, RenderOrder, Rendition } from "./types.ts";

/** What a process that transforms images is told, before the image's bytes. */
export interface Order {
  readonly order: RenderOrder;
  readonly limits: RenderLimits;
}

/** What it says when it has started, and whether it has what decodes. */
export interface Greeting {
  readonly kind: "ready" | "unavailable";
}

/** What it says to each order, before the picture's bytes, where there is one. */
export type Answer =
  | { readonly kind: "picture"; readonly contentType: string }
  | { readonly kind: "damaged" | "too-large" };

/** The bytes of an image. */
export interface ImageSource {
  readonly sizeBytes: number;
  stream(range?: undefined, signal?: AbortSignal): AsyncIterable<Buffer>;
}

export interface RendererLimits extends RenderLimits {
  readonly timeoutMs: number;
  readonly memoryBytes: number;
}

interface Waiting {
  resolve(frame: Frame): void;
  reject(error: unknown): void;
}

/** Starting takes some 200 ms, and more where the machine is busy: that is no image's fault. */
const startLimitMs = 30_000;
const memoryLookMs = 50;
/** A renderer that is over half its limit after its work ends: allocators do not give everything back. */
const tiredShare = 0.5;

/**
 * One process that makes one picture at a time. Decoders of images are foreign code that reads what strangers send: what they do wrong ends with
 * their process, which has nothing of ours (no environment, no channel but two pipes), and can be killed in the middle of its work. Threads of
 * our own process cannot, and share theirs with files and passwords.
 */
export class Renderer {
  readonly #limits: RendererLimits;
  readonly #child: ChildProcess;
  #current: Waiting | null = null;
  #isReady = false;
  #isGone = false;
  #why: unknown = imageProblems.stopped();
  readonly #ready: Promise<void>;
  readonly #ended: Promise<void>;

  constructor(limits: RendererLimits) {
    this.#limits = limits;
    // The file is TypeScript in the repository and JavaScript in the published package.
    const file = import.meta.url.endsWith(".ts") ? "./renderer-child.ts" : "./renderer-child.js";
    const child = spawn(process.execPath, ["--max-old-space-size=64", fileURLToPath(new URL(file, import.meta.url))], {
      // `VIPS_BLOCK_UNTRUSTED`: no decoder that its own makers do not trust. Two arenas: glibc has one for each thread, and keeps what was theirs.
      env: { VIPS_BLOCK_UNTRUSTED: "1", MALLOC_ARENA_MAX: "2" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("close", resolve);
      child.once("error", () => resolve());
    });
    const reader = new FrameReader(limits.outputBytes, (frame) => this.#settle((current) => current.resolve(frame)));
    child.stdout!.on("data", (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        this.#end(error);
      }
    });
    child.stdin!.on("error", () => {});
    child.on("error", (error) => this.#end(imageProblems.stopped(error)));
    // Before it has seen an image it is no image that has ended it.
    child.on("exit", (_, endedBy) => this.#end(this.#isReady ? reasonOfEnd(endedBy) : imageProblems.stopped()));
    standBack(child.pid);
    this.#ready = this.#greeting();
    // Told to whoever wants the first picture.
    this.#ready.catch(() => {});
  }

  /** It takes no more work. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Makes one picture; the next may begin when it has settled. @throws Problem; those of the source pass through, and the signal's reason
   */
  async render(source: ImageSource, order: RenderOrder, signal: AbortSignal): Promise<Rendition> {
    this.#keepAwake(true);
    let stopWatching = (): void => {};
    try {
      await this.#ready;
      if (this.#isGone) throw this.#why;
      const answer = this.#next();
      const watch = this.#watch();
      stopWatching = watch.stop;
      await this.#send(source, order, signal, () => watch.refresh());
      const { head, body } = await answer;
      return this.#readAnswer(head as Answer, body);
    } finally {
      stopWatching();
      this.#current = null;
      // What was begun and not finished would be taken for the next one.
      if (!this.#isGone && this.#isTired()) this.#kill();
      this.#keepAwake(false);
    }
  }

  /** Ends it at once. Resolves when the process is gone. */
  async close(): Promise<void> {
    // Whoever waits for its end is told of it.
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#keepAwake(true);
    this.#end(imageProblems.stopped());
    await this.#ended;
  }

  #readAnswer(answer: Answer, body: Buffer): Rendition {
    switch (answer.kind) {
      case "picture":
        return { contentType: answer.contentType, bytes: body };
      case "damaged":
        throw imageProblems.notAnImage();
      case "too-large":
        throw imageProblems.tooLarge();
    }
  }

  async #greeting(): Promise<void> {
    const timer = setTimeout(() => this.#end(imageProblems.stopped()), startLimitMs);
    try {
      const { kind } = (await this.#next()).head as Greeting;
      this.#isReady = kind === "ready";
      if (this.#isReady) return;
      this.#end(imageProblems.unavailable());
      throw this.#why;
    } finally {
      clearTimeout(timer);
    }
  }

  /** What it says next. */
  #next(): Promise<Frame> {
    const next = new Promise<Frame>((resolve, reject) => {
      this.#current = { resolve, reject };
    });
    // It may fail while bytes are still read.
    next.catch(() => {});
    return next;
  }

  /** Hands the bytes over as they come. Whatever is wrong before the last one leaves the process with half a message: it goes. */
  async #send(source: ImageSource, order: RenderOrder, signal: AbortSignal, onProgress: () => void): Promise<void> {
    const { inputPixels, frames, outputBytes } = this.#limits;
    let sentBytes = 0;
    /** What came before it was enough to tell what it is: a file that came in pieces may begin with a few bytes. */
    let head: Buffer | null = null;
    const begin = async (first: Buffer): Promise<void> => {
      // Before anything is sent, so that nothing has to end for what is no image.
      if (imageKindOf(first) === null) throw imageProblems.notAnImage();
      await this.#write(
        frameStart({ order, limits: { inputPixels, frames, outputBytes } } satisfies Order, source.sizeBytes),
      );
    };
    try {
      for await (const chunk of source.stream(undefined, signal)) {
        let bytes = chunk;
        if (sentBytes === 0) {
          bytes = head === null ? chunk : Buffer.concat([head, chunk]);
          if (bytes.length < Math.min(kindBytes, source.sizeBytes)) {
            head = bytes;
            continue;
          }
          await begin(bytes);
        }
        sentBytes += bytes.length;
        await this.#write(bytes);
        onProgress();
      }
      if (sentBytes === 0) throw imageProblems.notAnImage();
      if (sentBytes !== source.sizeBytes) throw new Error(`${sentBytes} bytes of ${source.sizeBytes} came.`);
    } catch (error) {
      if (sentBytes > 0) this.#kill();
      throw error;
    }
  }

  #write(bytes: Buffer): Promise<void> {
    const { stdin } = this.#child;
    if (this.#isGone || stdin!.destroyed) return this.#gone();
    if (stdin!.write(bytes)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = () => {
        stdin!.off("drain", settle);
        stdin!.off("close", settle);
        if (this.#isGone || stdin!.destroyed) this.#gone().then(resolve, reject);
        else resolve();
      };
      stdin!.on("drain", settle);
      stdin!.on("close", settle);
    });
  }

  /** The pipe may be closed before it is known what the process has died of. */
  async #gone(): Promise<never> {
    await this.#ended;
    throw this.#why;
  }

  #settle(how: (waiting: Waiting) => void): void {
    const current = this.#current;
    this.#current = null;
    if (current === null) this.#kill();
    else how(current);
  }

  #end(why: unknown): void {
    if (!this.#isGone) this.#why = why;
    this.#kill();
    const current = this.#current;
    this.#current = null;
    current?.reject(this.#why);
  }

  #kill(): void {
    this.#isGone = true;
    this.#child.kill("SIGKILL");
  }

  /** Ends the process when it takes too long since the last bytes, or too much memory. */
  #watch(): { refresh(): void; stop(): void } {
    const { timeoutMs, memoryBytes } = this.#limits;
    const timer = setTimeout(() => this.#end(imageProblems.tooSlow()), timeoutMs);
    const memory = setInterval(() => {
      if ((residentBytes(this.#child.pid) ?? 0) > memoryBytes) {
        this.#end(imageProblems.tooLarge("The image takes too much memory to be transformed."));
      }
    }, memoryLookMs);
    return {
      refresh: () => void timer.refresh(),
      stop() {
        clearTimeout(timer);
        clearInterval(memory);
      },
    };
  }

  #isTired(): boolean {
    return (residentBytes(this.#child.pid) ?? 0) > this.#limits.memoryBytes * tiredShare;
  }

  /** A process that waits does not keep the server from ending. */
  #keepAwake(isBusy: boolean): void {
    const { stdin, stdout } = this.#child;
    // Pipes are sockets.
    for (const one of [this.#child, stdin, stdout] as unknown as readonly { ref(): void; unref(): void }[]) {
      if (isBusy) one.ref();
      else one.unref();
    }
  }
}
