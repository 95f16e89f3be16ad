const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A terminal, npm and the launcher may each pass on the same Ctrl-C: within this time they count as one. */
const sameSignalMs = 400;

/** The first signal asks to stop, a second one does not wait. */
export interface StopRequest {
  /** Resolves with what asked: a signal, or `launcher-gone` when the process that started us has died. */
  readonly requested: Promise<NodeJS.Signals | "launcher-gone">;
  /** Stops listening for signals. */
  dispose(): void;
}

/** `onForce` is called on the second request: it is expected to end the process. */
export function listenForStop(onForce: () => void): StopRequest {
  let firstAtMs: number | null = null;
  let isForced = false;
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals | "launcher-gone">();
  const request = (reason: NodeJS.Signals | "launcher-gone") => {
    const nowMs = performance.now();
    if (firstAtMs === null) {
      firstAtMs = nowMs;
      resolve(reason);
    } else if (nowMs - firstAtMs > sameSignalMs && !isForced) {
      isForced = true;
      onForce();
    }
  };
  const onDisconnect = () => request("launcher-gone");
  for (const signal of signals) process.on(signal, request);
  process.on("disconnect", onDisconnect);
  return {
    requested: promise,
    dispose() {
      for (const signal of signals) process.off(signal, request);
      process.off("disconnect", onDisconnect);
      // An open channel to the launcher would keep this process alive when everything else has ended.
      if (process.connected) process.disconnect();
    },
  };
}
