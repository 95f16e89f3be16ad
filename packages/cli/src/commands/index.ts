import type { Command } from "commander";
import type { Cli } from "../cli.ts";

/** One command: what `--help` says of it, and where its code is. Each module exports `command(cli)`. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ command(cli: Cli): Command }>;
}

/** Every command, in the order a newcomer meets them. */
export const commands: readonly CommandEntry[] = [
  { name: "init", summary: "make a project, or take up an existing supabase/ folder", load: () => import("./init.ts") },
  {
    name: "dev",
    summary: "serve a project while you work on it: new migrations apply at once",
    load: () => import("./dev.ts"),
  },
  { name: "start", summary: "serve a project, as in production", load: () => import("./start.ts") },
  { name: "migrate", summary: "apply, list, create and check migrations", load: () => import("./migrate.ts") },
  {
    name: "seed",
    summary: "fill the database with the project's seed files",
    load: () => import("./seed.ts"),
  },
  {
    name: "types",
    summary: "write TypeScript types of the database, for supabase-js",
    load: () => import("./types.ts"),
  },
  { name: "keys", summary: "show or rotate the project's API keys", load: () => import("./keys.ts") },
  {
    name: "user",
    summary: "list, make, import, ban and delete accounts",
    load: () => import("./user.ts"),
  },
  {
    name: "functions",
    summary: "write, list, check and call the app's own code, and read what it logs",
    load: () => import("./functions.ts"),
  },
  {
    name: "jobs",
    summary: "look at jobs and their queues, run them again, cancel them",
    load: () => import("./jobs.ts"),
  },
  {
    name: "schedules",
    summary: "look at what runs on time",
    load: () => import("./schedules.ts"),
  },
  {
    name: "storage",
    summary: "check files, rotate their keys, and give out keys of the S3 endpoint",
    load: () => import("./storage.ts"),
  },
  {
    name: "webhooks",
    summary: "look at deliveries of webhooks, and send them again",
    load: () => import("./webhooks.ts"),
  },
  { name: "db", summary: "reach the database: its URL, or psql", load: () => import("./db.ts") },
  {
    name: "doctor",
    summary: "check everything that can be checked, and say what to do",
    load: () => import("./doctor.ts"),
  },
  {
    name: "config",
    summary: "show every setting, its value and where it comes from",
    load: () => import("./config.ts"),
  },
  {
    name: "version",
    summary: "print the versions of mainstay, Node and PostgreSQL",
    load: () => import("./version.ts"),
  },
];
