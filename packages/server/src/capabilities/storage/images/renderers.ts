import { Problem } from "../../../kernel/problem.ts";
import { imageProblems } from "./problems.ts";
import { type ImageSource, Renderer, type RendererLimits } from "./renderer.ts";
import type { RenderOrder, Rendition } from "./types.ts";

export interface RenderersOptions extends RendererLimits {
  /** Most processes. */
  readonly processes: number;
  /** Most images that wait for one. */
  readonly queue: number;
  readonly idleMs: number;
}

/** Processes that transform images: started by need, replaced when one was killed, ended when nothing is to do. */
export interface Renderers {
  /**
   * `open` gives the image when its turn comes. Until then the signal takes it out of the queue.
   * @throws Problem `InvalidImage`, `ImageTooLarge`, `SlowDown`, `ImagesUnavailable`, `ImagesStopped`, and whatever `open` throws
   */
  render(open: () => Promise<ImageSource>, order: RenderOrder, signal: AbortSignal): Promise<Rendition>;
  /** How many processes there are. */
  count(): number;
  close(): Promise<void>;
}

export function createRenderers({ processes, queue, idleMs, ...limits }: RenderersOptions): Renderers {
  const idle: Renderer[] = [];
  const busy = new Set<Renderer>();
  const waiting: { start(renderer: Renderer): void; refuse(error: unknown): void }[] = [];
  const timers = new Map<Renderer, NodeJS.Timeout>();
  let isClosed = false;
  /** Packages do not appear while a server runs, and starting a process to learn that again costs as much as an image. */
  let isUnavailable = false;

  const wake = (): Renderer | null => {
    while (idle.length > 0) {
      // The one that worked last: the others may end.
      const renderer = idle.pop()!;
      clearTimeout(timers.get(renderer));
      timers.delete(renderer);
      if (!renderer.isGone) return renderer;
    }
    return busy.size < processes ? start() : null;
  };
  /** @throws Problem when the system has no room for another process */
  const start = (): Renderer => {
    try {
      return new Renderer(limits);
    } catch (error) {
      throw imageProblems.stopped(error);
    }
  };
  const sleep = (renderer: Renderer): void => {
    idle.push(renderer);
    const end = () => {
      timers.delete(renderer);
      idle.splice(idle.indexOf(renderer), 1);
      void renderer.close();
    };
    timers.set(renderer, setTimeout(end, idleMs).unref());
  };
  const giveBack = (renderer: Renderer): void => {
    busy.delete(renderer);
    const next = waiting.shift();
    if (next !== undefined) {
      try {
        const ready = renderer.isGone ? start() : renderer;
        busy.add(ready);
        next.start(ready);
      } catch (error) {
        next.refuse(error);
        for (const { refuse } of busy.size === 0 ? waiting.splice(0) : []) refuse(error);
      }
    } else if (isClosed) void renderer.close();
    else if (!renderer.isGone) sleep(renderer);
  };
  const turn = async (signal: AbortSignal): Promise<Renderer> => {
    const renderer = wake();
    if (renderer !== null) {
      busy.add(renderer);
      return renderer;
    }
    if (waiting.length >= queue) throw imageProblems.busy();
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.splice(waiting.indexOf(place), 1);
        reject(signal.reason);
      };
      const place = {
        start(renderer: Renderer) {
          signal.removeEventListener("abort", leave);
          resolve(renderer);
        },
        refuse(error: unknown) {
          signal.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      waiting.push(place);
    });
  };

  return {
    async render(open, order, signal) {
      signal.throwIfAborted();
      if (isClosed) throw imageProblems.stopped();
      if (isUnavailable) throw imageProblems.unavailable();
      const renderer = await turn(signal);
      try {
        return await renderer.render(await open(), order, signal);
      } catch (error) {
        if (error instanceof Problem && error.code === "ImagesUnavailable") isUnavailable = true;
        throw error;
      } finally {
        giveBack(renderer);
      }
    },
    count: () => idle.length + busy.size,
    async close() {
      isClosed = true;
      for (const { refuse } of waiting.splice(0)) refuse(imageProblems.stopped());
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all([...idle.splice(0), ...busy].map((renderer) => renderer.close()));
    },
  };
}
