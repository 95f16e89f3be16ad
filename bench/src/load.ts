import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { hasCommand } from "./machine.ts";

const run = promisify(execFile);

/** One request, as often as it is wanted. */
export interface Shot {
  readonly method: string;
  /** Path and query. `$n` stands for what no other request has: a random word and a number. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Load {
  readonly url: string;
  /** Cycled through: different rows, the same shape. */
  readonly shots: readonly Shot[];
  readonly connections: number;
  readonly seconds: number;
}

export interface Throughput {
  readonly perSecond: number;
  /** Answers outside 2xx and broken connections: more than none makes the figure worthless. */
  readonly failures: number;
}

/**
 * As many requests as the server takes, on keep-alive connections. Two seconds go ahead uncounted: code is compiled and
 * statements are planned as they are first used.
 */
export async function saturate(load: Load): Promise<Throughput> {
  const run = hasCommand("wrk") ? saturateWithWrk : saturateHere;
  await run({ ...load, seconds: 2 });
  return run(load);
}

async function saturateWithWrk(load: Load): Promise<Throughput> {
  const script = join(tmpdir(), `mainstay-bench-${process.pid}.lua`);
  writeFileSync(script, luaFor(load.shots));
  return runWrk(["-s", script], load);
}

async function runWrk(
  options: readonly string[],
  load: Pick<Load, "url" | "connections" | "seconds">,
): Promise<Throughput> {
  const size = ["-t1", `-c${load.connections}`, `-d${load.seconds}`];
  const { stdout } = await run("wrk", [...size, ...options, load.url]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? Number.NaN);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(stdout)?.[1] ?? 0);
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout);
  return { perSecond, failures: refused + (broken ? broken.slice(1).reduce((sum, n) => sum + Number(n), 0) : 0) };
}

/** The requests are written out once, before the clock runs: wrk then only sends bytes. Those with a number are written as they go. */
function luaFor(shots: readonly Shot[]): string {
  const quote = (text: string): string =>
    `"${text.replace(/[\\"\n\r]/g, (c) => ({ "\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r" })[c]!)}"`;
  const formats = shots.map(({ method, path, headers, body }) => {
    const table = Object.entries(headers).map(([name, value]) => `[${quote(name)}]=${quote(value)}`);
    const text = body === undefined ? "nil" : isRepeated(body) ? `string.rep("x", ${body.length})` : quote(body);
    return `wrk.format(${quote(method)}, ${quote(path)}, {${table.join(",")}}, ${text})`;
  });
  if (shots.some(({ path }) => path.includes("$n"))) return luaForNumbered(formats);
  return `local shots = {}\nfunction init(args)\n${formats.map((format, i) => `shots[${i + 1}] = ${format}`).join("\n")}\nend
local next = 0\nfunction request()\n  next = next % ${shots.length} + 1\n  return shots[next]\nend\n`;
}

/** A body of one letter over and over need not be written out. */
const isRepeated = (body: string): boolean => body.length > 1_000 && !/[^x]/.test(body);

/** The number is as long as the two characters that stand for it are not: only they are replaced, and all around them stays bytes. */
function luaForNumbered(formats: readonly string[]): string {
  const word = randomUUID().slice(0, 8);
  return `local heads, tails = {}, {}\nfunction init(args)
${formats.map((format, i) => `  do local shot = ${format}; local at = string.find(shot, "$n", 1, true); heads[${i + 1}] = string.sub(shot, 1, at - 1) .. "${word}-"; tails[${i + 1}] = string.sub(shot, at + 2) end`).join("\n")}
end
local next = 0
function request()
  next = next + 1
  local i = next % #heads + 1
  return heads[i] .. next .. tails[i]
end
`;
}

async function saturateHere(load: Load): Promise<Throughput> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const endMs = performance.now() + load.seconds * 1000;
  let done = 0;
  let failures = 0;
  let next = 0;
  const word = randomUUID().slice(0, 8);
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      while (performance.now() < endMs) {
        const shot = load.shots[next++ % load.shots.length]!;
        const path = shot.path.replace("$n", `${word}-${next}`);
        const { isOk } = await shoot(load.url, { ...shot, path }, agent);
        done++;
        if (!isOk) failures++;
      }
    }),
  );
  agent.destroy();
  return { perSecond: done / load.seconds, failures };
}

/** A chain of exchanges: what one answer calls its `refresh_token`, a later request sends. */
export interface Exchange {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** To begin with: at least as many as connections. */
  readonly tokens: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

/** As many exchanges as the server takes, each token used once. Two seconds go ahead uncounted, with a third of the tokens. */
export async function exchange(load: Exchange): Promise<Throughput> {
  const run = hasCommand("wrk") ? exchangeWithWrk : exchangeHere;
  const ahead = Math.floor(load.tokens.length / 3);
  await run({ ...load, tokens: load.tokens.slice(0, ahead), seconds: 2 });
  return run({ ...load, tokens: load.tokens.slice(ahead) });
}

async function exchangeWithWrk(load: Exchange): Promise<Throughput> {
  const script = join(tmpdir(), `mainstay-bench-${process.pid}.lua`);
  const table = Object.entries(load.headers).map(([name, value]) => `["${name}"]="${value}"`);
  writeFileSync(
    script,
    `local tokens = { ${load.tokens.map((token) => `"${token}"`).join(", ")} }
local first, last = 1, #tokens
function request()
  local token = tokens[first] or ""
  tokens[first] = nil
  first = first + 1
  return wrk.format("POST", "${load.path}", { ${table.join(", ")} }, '{"refresh_token":"' .. token .. '"}')
end
function response(status, headers, body)
  local token = string.match(body, '"refresh_token":"([^"]+)"')
  if token then last = last + 1; tokens[last] = token end
end
`,
  );
  return runWrk(["-s", script], load);
}

async function exchangeHere(load: Exchange): Promise<Throughput> {
  const endMs = performance.now() + load.seconds * 1000;
  let done = 0;
  let failures = 0;
  await Promise.all(
    load.tokens.slice(0, load.connections).map(async (first) => {
      for (let token = first; performance.now() < endMs; done++) {
        const body = JSON.stringify({ refresh_token: token });
        const response = await fetch(`${load.url}${load.path}`, { method: "POST", headers: load.headers, body });
        const answer = (await response.json()) as { refresh_token?: string };
        if (answer.refresh_token === undefined) failures++;
        token = answer.refresh_token ?? token;
      }
    }),
  );
  return { perSecond: done / load.seconds, failures };
}

/**
 * A fixed number of requests a second, whatever the server does (open loop). Latency counts from when a request was due, not from
 * when it could be sent: a stall is seen by everyone it would have hit. In milliseconds, sorted.
 */
export async function sustain(
  load: Load & { readonly perSecond: number },
): Promise<{ latencies: number[]; failures: number }> {
  const agent = new Agent({ keepAlive: true, maxSockets: load.connections });
  const latencies: number[] = [];
  const pending = new Set<Promise<void>>();
  let failures = 0;
  const total = load.perSecond * load.seconds;
  const startMs = performance.now();
  for (let i = 0; i < total; i++) {
    const dueMs = startMs + (i * 1000) / load.perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const shot = shoot(load.url, load.shots[i % load.shots.length]!, agent).then(({ isOk }) => {
      latencies.push(performance.now() - dueMs);
      if (!isOk) failures++;
      pending.delete(shot);
    });
    pending.add(shot);
  }
  await Promise.all(pending);
  agent.destroy();
  return { latencies: latencies.sort((a, b) => a - b), failures };
}

export function shoot(
  url: string,
  shot: Shot,
  agent?: Agent,
): Promise<{ isOk: boolean; status: number; bytes: number }> {
  return new Promise((resolve) => {
    const call = request(
      `${url}${shot.path}`,
      { method: shot.method, headers: shot.headers, ...(agent && { agent }) },
      (response) => {
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
        });
        response.on("end", () => resolve({ isOk: response.statusCode! < 300, status: response.statusCode!, bytes }));
        response.on("error", () => resolve({ isOk: false, status: 0, bytes }));
      },
    );
    call.on("error", () => resolve({ isOk: false, status: 0, bytes: 0 }));
    call.end(shot.body);
  });
}

/** The value below which `share` of the sorted list lies. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
