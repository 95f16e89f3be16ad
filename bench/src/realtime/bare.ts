import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface BareServer {
  readonly pid: number;
  stop(): Promise<void>;
}

/** `ws` alone, in a process of its own. */
export function startBare(port: number): Promise<BareServer> {
  const child = fork(fileURLToPath(new URL("./bare-process.ts", import.meta.url)), [String(port)]);
  return new Promise((resolve, reject) => {
    child.once("exit", () => reject(new Error("The bare server did not start.")));
    child.once("message", () =>
      resolve({
        pid: child.pid!,
        stop: () =>
          new Promise((stopped) => {
            child.on("exit", () => stopped());
            child.disconnect();
          }),
      }),
    );
  });
}
