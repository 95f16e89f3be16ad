import { Worker } from "node:worker_threads";

/** Compares with bcrypt on a thread of its own, started at the first need. */
export interface Bcrypt {
  /** False also for a hash of no known form, and for a password longer than bcrypt reads. */
  isMatch(password: string, hash: string): Promise<boolean>;
  close(): Promise<void>;
}

/** bcrypt reads no further, so that two long passwords would be one (threat A27). Whoever made the hash refused longer ones. */
const maxBytes = 72;
/** 2^14 rounds take about a second; more would let one imported row hold up everyone. */
const maxCost = 14;

export const isBcryptHash = (hash: string): boolean => /^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash);

export function createBcrypt(): Bcrypt {
  let worker: Worker | null = null;
  let nextId = 0;
  const pending = new Map<number, { resolve: (isMatch: boolean) => void; reject: (error: Error) => void }>();

  const start = (): Worker => {
    // The file is TypeScript in the repository and JavaScript in the published package.
    const file = import.meta.url.endsWith(".ts") ? "./bcrypt-worker.ts" : "./bcrypt-worker.js";
    const started = new Worker(new URL(file, import.meta.url));
    const fail = (error: Error) => {
      if (worker === started) worker = null;
      for (const { reject } of pending.values()) reject(error);
      pending.clear();
    };
    started.on("message", ({ id, isMatch }: { id: number; isMatch: boolean }) => {
      pending.get(id)?.resolve(isMatch);
      pending.delete(id);
      if (pending.size === 0) started.unref();
    });
    started.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
    started.on("exit", () => fail(new Error("The bcrypt thread has stopped.")));
    return started;
  };

  return {
    isMatch(password, hash) {
      if (!isBcryptHash(hash) || Number(hash.slice(4, 6)) > maxCost || Buffer.byteLength(password) > maxBytes) {
        return Promise.resolve(false);
      }
      worker ??= start();
      worker.ref();
      const id = nextId++;
      const answer = new Promise<boolean>((resolve, reject) => pending.set(id, { resolve, reject }));
      worker.postMessage({ id, password, hash });
      return answer;
    },
    async close() {
      await worker?.terminate();
    },
  };
}
