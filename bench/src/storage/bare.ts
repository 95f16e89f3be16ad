import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { StorageBench } from "./bench.ts";

export interface BareServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** `node:http` alone in a process of its own, its files on the same disk. @param sizes of the files it has, in bytes */
export function startBare({ dir, freePort }: StorageBench, sizes: readonly number[]): Promise<BareServer> {
  const folder = join(dir, "bare");
  const script = fileURLToPath(new URL("./bare-process.ts", import.meta.url));
  const child = fork(script, [String(freePort), folder, sizes.join(",")]);
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("The bare server did not start.")));
    child.once("message", () =>
      resolve({
        url: `http://127.0.0.1:${freePort}`,
        stop: () =>
          new Promise((stopped) => {
            child.on("exit", () => {
              rmSync(folder, { recursive: true, force: true });
              stopped();
            });
            child.disconnect();
          }),
      }),
    );
  });
}
