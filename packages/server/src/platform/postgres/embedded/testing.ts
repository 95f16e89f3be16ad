import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import type { Observation } from "../../observe/observation.ts";
import { type EmbeddedPostgres, type EmbeddedPostgresSettings, openEmbeddedPostgres } from "./index.ts";
import { identify, postgresProcessesIn } from "./process-identity.ts";

export const isRoot = process.getuid?.() === 0;
export const isLinux = process.platform === "linux";

/** Small and quick: a test wants few connections. */
const testSettings: Partial<EmbeddedPostgresSettings> = {
  postgresMaxConnections: 20,
  postgresSharedBuffersBytes: 16 * 1024 * 1024,
};

/** Servers in temporary folders, for one test file. Everything ends with `clean`. */
export class Yard {
  readonly #dir = mkdtempSync(join(tmpdir(), "yard-"));
  readonly #opened: EmbeddedPostgres[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #homes: string[] = [];
  #count = 0;
  #template: string | null = null;
  /** All that was observed since the last `open`. */
  seen: Observation[] = [];

  /** A home nobody has opened. */
  newHome(...below: string[]): string {
    const home = join(this.#dir, String(++this.#count), ...below, "postgres");
    mkdirSync(dirname(home), { recursive: true });
    this.#homes.push(home);
    return home;
  }

  /** A home with a database in it, not running: made once, then copied. */
  async madeHome(...below: string[]): Promise<string> {
    if (this.#template === null) {
      const template = this.newHome();
      await (await this.open(template)).stop();
      this.#template = template;
    }
    const home = this.newHome(...below);
    this.copy(this.#template, home);
    return home;
  }

  copy(from: string, to: string): void {
    execFileSync("cp", ["-a", from, to]);
    this.#homes.push(to);
  }

  async open(
    dataDir: string,
    settings: Partial<EmbeddedPostgresSettings> = {},
    signal?: AbortSignal,
  ): Promise<EmbeddedPostgres> {
    this.seen = [];
    const seen = this.seen;
    const postgres = await openEmbeddedPostgres({
      dataDir,
      observe: (one) => void seen.push(one),
      settings: { ...testSettings, ...settings },
      ...(signal === undefined ? {} : { signal }),
    });
    this.#opened.push(postgres);
    return postgres;
  }

  /** Opens in a process of its own; resolves with its words as they come. */
  spawn(
    dataDir: string,
    settings: Partial<EmbeddedPostgresSettings> = {},
    end: "when asked" | "by an error" = "when asked",
  ): Holder {
    const script = fileURLToPath(new URL("testing-process.ts", import.meta.url));
    const child = spawn(process.execPath, [script, dataDir, JSON.stringify({ ...testSettings, ...settings }), end], {
      stdio: ["ignore", "pipe", end === "by an error" ? "ignore" : "inherit"],
    });
    this.#children.push(child);
    return new Holder(child);
  }

  async clean(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const postgres of this.#opened) await postgres.stop();
    for (const home of this.#homes) {
      for (const pid of postgresProcessesIn(join(home, "data"))) process.kill(pid, "SIGKILL");
    }
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

interface Words {
  readonly observation?: Observation;
  readonly ready?: { readonly pid: number; readonly wasAdopted: boolean };
  readonly failed?: { readonly code: string; readonly message: string };
}

/** Another process that holds, or tries to hold, a home. */
export class Holder {
  readonly child: ChildProcess;
  readonly #words: AsyncIterator<string>;
  readonly exited: Promise<void>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.#words = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    this.exited = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** The first of its words that are wanted. */
  async says<T>(pick: (words: Words) => T | undefined): Promise<T> {
    for (;;) {
      const { value, done } = await this.#words.next();
      if (done) throw new Error("The process ended without saying it.");
      const found = pick(JSON.parse(value));
      if (found !== undefined) return found;
    }
  }

  ready = () => this.says(({ ready }) => ready);
  failed = () => this.says(({ failed }) => failed);

  async kill(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    await this.exited;
  }
}

/** Runs one statement as the superuser. */
export async function query(postgres: EmbeddedPostgres, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** Resolves once nothing runs as `pid`. */
export async function gone(pid: number): Promise<void> {
  while (identify(pid) !== null) await new Promise((resolve) => setTimeout(resolve, 10));
}

export const postmasterFileOf = (home: string): string => readFileSync(join(home, "data", "postmaster.pid"), "utf8");
