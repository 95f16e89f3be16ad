import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";
import { jwtSecret } from "../app.ts";
import { type Answer, exchange } from "../storage/http.ts";

const repository = join(import.meta.dirname, "..", "..", "..");

/** What stands in files and the environment of the server, and must stand in no answer. */
export const canary = "canary-of-the-server";

export interface FunctionsServer extends BootedApp {
  readonly projectDir: string;
  /** Calls a function; `as` is a token or key, the anon key unless told otherwise, `null` for nobody. */
  call(path: string, options?: CallOptions): Promise<Answer>;
  /** What a function gave as JSON. */
  ask<T = unknown>(path: string, json?: unknown): Promise<T>;
  /** Lines of functions so far. */
  lines(): readonly { readonly functionName: string; readonly message: string; readonly id: string }[];
  /** What the server has thrown that nobody meant it to. */
  failures(): readonly string[];
}

export interface CallOptions {
  readonly method?: string;
  readonly as?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly json?: unknown;
}

/** A server with these files in `functions/`, and secrets around them that are nobody's business. */
export async function startFunctions(
  files: Readonly<Record<string, string>>,
  options: BootOptions = {},
): Promise<FunctionsServer> {
  const projectDir = await mkdtemp(join(tmpdir(), "abused-functions-"));
  const written = {
    ".env": `DATABASE_PASSWORD=${canary}\n`,
    "functions/.env": "HOOK_SECRET=hook-secret-of-the-project\n",
  };
  const all = {
    ...written,
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`functions/${name}`, text])),
  };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(projectDir, name)), { recursive: true });
    await writeFile(join(projectDir, name), text);
  }
  await symlink(join(repository, "node_modules"), join(projectDir, "node_modules"));
  const app = await boot({
    ...options,
    projectDir,
    env: { MAINSTAY_TEST_CANARY: canary, ...options.env },
    settings: { ...options.settings, identity: { jwtSecret, jwtAlgorithm: "HS256", ...options.settings?.identity } },
  });
  const call: FunctionsServer["call"] = (path, { method, as = app.anonKey, headers, body, json } = {}) => {
    const sent = json === undefined ? body : JSON.stringify(json);
    return exchange(app.url, {
      method: method ?? (sent === undefined ? "GET" : "POST"),
      target: `/functions/v1/${path}`,
      headers: {
        ...(as === null ? {} : { authorization: `Bearer ${as}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    });
  };
  return {
    ...app,
    projectDir,
    call,
    async ask<T>(path: string, json?: unknown) {
      const answer = await call(path, json === undefined ? {} : { json });
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
      return JSON.parse(answer.text) as T;
    },
    lines: () => app.observations.filter((one) => one.kind === "functions.log"),
    failures: () => app.observations.flatMap((one) => (one.kind === "request.failed" ? [String(one.error)] : [])),
    async stop() {
      await app.stop();
      await rm(projectDir, { recursive: true, force: true });
    },
  };
}

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A real HTTP server on loopback that keeps what it hears. */
export interface Listener {
  readonly url: string;
  readonly port: number;
  readonly heard: Heard[];
  answer: (heard: Heard, response: ServerResponse) => void;
  stop(): Promise<void>;
}

export async function listen(answer: Listener["answer"] = (_, response) => response.end("ok")): Promise<Listener> {
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString("latin1");
    const one = { method: request.method ?? "", url: request.url ?? "", headers: request.headers, body };
    heard.push(one);
    listener.answer(one, response);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const listener: Listener = {
    url: `http://127.0.0.1:${port}`,
    port,
    heard,
    answer,
    stop: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  return listener;
}
