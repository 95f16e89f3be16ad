import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A start is over by then, and nobody has come yet or everybody can spare the moment: it takes some 40 ms, once. */
const afterMs = 8_000;

/**
 * Gives back what loading the server has left in its heap, some 20 MB: Node would keep it until there is need, and a server that is
 * idle has none. The collector is only to be had by a flag, which is taken when the time has come.
 * @returns stops it, should the server stop first
 */
export function giveBackMemory(): () => void {
  const timer = setTimeout(() => {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("globalThis.gc");
    setFlagsFromString("--no-expose-gc");
    // The thorough kind: what it can make again, it lets go too.
    if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
  }, afterMs).unref();
  return () => clearTimeout(timer);
}
