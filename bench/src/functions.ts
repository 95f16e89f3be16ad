import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Shot, saturate } from "./load.ts";
import type { Figure } from "./scenarios.ts";
import { emptyProject, keysOf, startConstant, startServer } from "./server.ts";

const text = "Hello from a function";
const goal = 0.5;
/** So often the two take turns: on a machine that others use too one turn says little, and the middle of several does. */
export const turns = 5;

/** Of all that a scenario may take. */
export const secondsOfTurn = (seconds: number): number => Math.max(2, Math.round(seconds / turns));

/**
 * A function that answers a constant against `node:http` answering the same constant to the very same requests: with a key, as apps call, and without
 * one, where the function asks for none. The function's own process, the server and whoever asks share the machine. @param port the next is used as well
 */
export async function functions(options: {
  readonly port: number;
  readonly seconds: number;
  readonly connections: number;
}): Promise<Figure[]> {
  const { port } = options;
  const project = emptyProject();
  mkdirSync(join(project.dir, "functions"));
  const answer = `() => new Response(${JSON.stringify(text)})`;
  writeFileSync(join(project.dir, "functions", "hello.ts"), `export default ${answer};\n`);
  writeFileSync(
    join(project.dir, "functions", "open.ts"),
    `import { serve } from "@mainstay/functions";\nexport default serve({ verifyJwt: false }, ${answer});\n`,
  );
  const constant = await startConstant(port + 1, text);
  try {
    const server = await startServer(project.dir, port);
    try {
      const { anonKey } = await keysOf(project.dir);
      const withKey = { apikey: anonKey, Authorization: `Bearer ${anonKey}` };
      const between = (path: string, headers: Shot["headers"]) =>
        compare({ ...options, server: server.url, constant: `http://127.0.0.1:${port + 1}`, path, headers });
      return [
        figureOf("function that answers a constant, called with a key", await between("/functions/v1/hello", withKey)),
        figureOf("the same, and it asks for none", await between("/functions/v1/open", {})),
      ];
    } finally {
      await server.stop();
    }
  } finally {
    await constant.stop();
    project.remove();
  }
}

interface Turn {
  readonly perSecond: number;
  readonly ofPerSecond: number;
  readonly failures: number;
}

/** Both in turns; the turn whose ratio is in the middle. */
async function compare(options: {
  readonly server: string;
  readonly constant: string;
  readonly path: string;
  readonly headers: Shot["headers"];
  readonly connections: number;
  readonly seconds: number;
}): Promise<Turn> {
  const { server, constant, path, headers, connections } = options;
  const first = await fetch(server + path, { headers });
  const said = await first.text();
  if (said !== text) throw new Error(`The function answered ${first.status}: ${said}`);
  const seconds = secondsOfTurn(options.seconds);
  const load = (url: string) => saturate({ url, shots: [{ method: "GET", path, headers }], connections, seconds });
  const all: Turn[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const limit = await load(constant);
    const ours = await load(server);
    all.push({
      perSecond: ours.perSecond,
      ofPerSecond: limit.perSecond,
      failures: ours.failures + limit.failures,
    });
  }
  const failures = all.reduce((sum, turn) => sum + turn.failures, 0);
  const byRatio = all.toSorted((a, b) => a.perSecond / a.ofPerSecond - b.perSecond / b.ofPerSecond);
  return { ...byRatio[turns >> 1]!, failures };
}

function figureOf(name: string, { perSecond, ofPerSecond, failures }: Turn): Figure {
  const ratio = perSecond / ofPerSecond;
  const failed = failures > 0 ? `, ${failures} failed` : "";
  return {
    name: `${name}, against node:http`,
    value: `${Math.round(perSecond)}/s of ${Math.round(ofPerSecond)}/s: ${ratio.toFixed(2)}${failed}`,
    against: `≥ ${goal}`,
    isMet: failures === 0 && ratio >= goal,
  };
}
