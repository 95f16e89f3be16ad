import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@mainstay/testing";
import { expect } from "vitest";
import { type Run, runMainstay, servesOrEnds } from "../abuse/command.ts";

/** The app of these tests: who sees which posts changes with a column, with a membership, and with the policy itself. */
const migration = `
  create table public.members (room text, who uuid, primary key (room, who));
  create table public.posts (
    n bigint primary key, owner uuid default auth.uid(), shared boolean not null default false, room text, body text
  );
  alter table public.posts enable row level security;
  create policy seen on public.posts for select to authenticated using (
    shared or owner = auth.uid() or exists (select from public.members m where m.room = posts.room and m.who = auth.uid()));
  create policy mine on public.posts for all to authenticated using (owner = auth.uid()) with check (owner = auth.uid());
  create table public.ledger (n bigint primary key, writer int not null default 0);
  grant select, insert, update, delete on public.posts to authenticated;
  grant select on public.members, public.ledger to anon, authenticated;
  alter publication supabase_realtime add table public.posts, public.members, public.ledger;
  create policy "who is signed in" on realtime.messages for all to authenticated using (true) with check (true);
`;

export interface Keys {
  readonly anonKey: string;
  readonly serviceRoleKey: string;
}

/** A project's folder, where servers of it are started as an operator does. */
export class Project {
  readonly dir: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #servers = new Set<Server>();

  private constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.dir = dir;
    this.#env = env;
  }

  /** @param env settings of all its servers; without a `DATABASE_URL` PostgreSQL is the embedded one */
  static async make(env: Readonly<Record<string, string>> = {}): Promise<Project> {
    const dir = await mkdtemp(join(tmpdir(), "mainstay-outage-"));
    await mkdir(join(dir, "migrations"));
    await writeFile(join(dir, "migrations", "20260101000000_app.sql"), migration);
    return new Project(dir, {
      MAINSTAY_MAILER_AUTOCONFIRM: "true",
      MAINSTAY_AUTH_RATE_LIMITS: "false",
      MAINSTAY_LOG_LEVEL: "warn",
      ...env,
    });
  }

  /** Another server of it, perhaps with settings of its own; ready when this resolves. */
  async serve(env: Readonly<Record<string, string>> = {}): Promise<Server> {
    const server = new Server(await freePort(), (port) => this.command(["start", "--port", String(port)], env));
    this.#servers.add(server);
    await server.start();
    return server;
  }

  async keys(): Promise<Keys> {
    return JSON.parse(await this.#ask("keys", "show", "--json"));
  }

  /** The administrator's way into the database. */
  async databaseUrl(): Promise<string> {
    return JSON.parse(await this.#ask("db", "url", "--json")).url;
  }

  async remove(): Promise<void> {
    for (const server of this.#servers) await server.stop();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #ask(...args: readonly string[]): Promise<string> {
    const run = this.command(args);
    expect(await run.ended, run.output()).toBe(0);
    return run.output();
  }

  /** The `mainstay` command in this project. */
  command(args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
    return runMainstay(args, this.dir, { ...this.#env, ...env });
  }
}

/** A server's process, and the next one in its place. */
export class Server {
  readonly port: number;
  readonly url: string;
  readonly #spawn: (port: number) => Run;
  #run: Run | null = null;

  constructor(port: number, spawn: (port: number) => Run) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#spawn = spawn;
  }

  get output(): string {
    return this.#run?.output() ?? "";
  }

  /** Its process now. */
  get pid(): number {
    return this.#run!.child.pid!;
  }

  async start(): Promise<void> {
    const run = this.#spawn(this.port);
    this.#run = run;
    expect(await servesOrEnds(run, this.url), run.output()).toBe("serves");
  }

  /** As an operator stops it: sockets are told, work is finished. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** As the kernel does it for want of memory. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#run === null) return;
    const { child, ended } = this.#run;
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  }
}
