import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { saturate } from "./load.ts";
import type { Figure } from "./scenarios.ts";
import { emptyProject, keysOf, startConstant, startServer } from "./server.ts";

const text = "Hello from a function";
const goal = 0.5;

/**
 * An endpoint that answers a constant, called with a key as apps do, against `node:http` answering the same constant in this process's place. The
 * function's own process, the server and whoever asks share the machine. @param port the next is used as well
 */
export async function functions(options: {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
}): Promise<Figure[]> {
  const { port, seconds, connections } = options;
  const project = emptyProject();
  mkdirSync(join(project.dir, "functions"));
  writeFileSync(
    join(project.dir, "functions", "hello.ts"),
    `export default () => new Response(${JSON.stringify(text)});\n`,
  );
  try {
    const constant = await startConstant(port + 1, text);
    const shot = { method: "GET", path: "/", headers: {} };
    const limit = await saturate({ url: `http://127.0.0.1:${port + 1}`, shots: [shot], connections, seconds });
    await constant.stop();
    const server = await startServer(project.dir, port);
    try {
      const { anonKey } = await keysOf(project.dir);
      const headers = { apikey: anonKey, Authorization: `Bearer ${anonKey}` };
      const called = { method: "GET", path: "/functions/v1/hello", headers };
      const first = await fetch(server.url + called.path, { headers });
      if ((await first.text()) !== text) throw new Error(`The function answered ${first.status}.`);
      const { perSecond, failures } = await saturate({ url: server.url, shots: [called], connections, seconds });
      const ratio = perSecond / limit.perSecond;
      return [
        {
          name: "function that answers a constant, against node:http",
          value: `${Math.round(perSecond)}/s of ${Math.round(limit.perSecond)}/s: ${ratio.toFixed(2)}${failures > 0 ? `, ${failures} failed` : ""}`,
          against: `≥ ${goal}`,
          isMet: failures === 0 && ratio >= goal,
        },
      ];
    } finally {
      await server.stop();
    }
  } finally {
    project.remove();
  }
}
