/** A V8 inspector's answers (Chrome DevTools Protocol), of a Node process that was started with `--inspect-port`. */
export interface Inspector {
  call(method: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown>;
  close(): void;
}

/** Switches the inspector on, which a process does when it gets SIGUSR1. It stays on until the process ends. */
export async function openInspector(pid: number, port: number): Promise<Inspector> {
  process.kill(pid, "SIGUSR1");
  const socket = new WebSocket(await addressOf(port));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, (result: unknown) => void>();
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id !== undefined) waiting.get(id)?.(result);
  };
  let next = 1;
  return {
    call: (method, parameters = {}) =>
      new Promise((resolve) => {
        const id = next++;
        waiting.set(id, (result) => {
          waiting.delete(id);
          resolve(result);
        });
        socket.send(JSON.stringify({ id, method, params: parameters }));
      }),
    close: () => socket.close(),
  };
}

/** What is alive on the heap, in bytes, once what is not has been collected. */
export async function heapOf(inspector: Inspector): Promise<number> {
  await inspector.call("HeapProfiler.collectGarbage");
  const { usedSize } = (await inspector.call("Runtime.getHeapUsage")) as { usedSize: number };
  return usedSize;
}

async function addressOf(port: number): Promise<string> {
  for (let attempts = 0; ; attempts++) {
    try {
      const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as {
        webSocketDebuggerUrl: string;
      }[];
      return targets[0]!.webSocketDebuggerUrl;
    } catch (error) {
      if (attempts >= 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
