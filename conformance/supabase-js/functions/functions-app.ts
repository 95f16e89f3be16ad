import { randomUUID } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SupabaseClient } from "@supabase/supabase-js";
import { expect } from "vitest";
import { type App, type AppSettings, mint, startApp } from "../app.ts";

/** Tells who the database takes the caller for. */
const sql = `create function public.caller() returns json language sql stable
  return json_build_object('role', current_user, 'sub', auth.uid());`;

/** Somebody who is signed in. */
export interface Person {
  readonly id: string;
  readonly token: string;
  readonly client: SupabaseClient;
}

/** A server that runs the functions of `project/`. */
export interface FunctionsApp extends App {
  /** A plain request below `/functions/v1`. */
  ask: App["request"];
  /** A new person, by a token of the server's. */
  person(claims?: Readonly<Record<string, unknown>>): Person;
  /** Waits until a function has written this into its log. */
  said(message: string): Promise<void>;
}

export async function startFunctionsApp(settings: AppSettings = {}): Promise<FunctionsApp> {
  const projectDir = mkdtempSync(join(tmpdir(), "mainstay-functions-"));
  cpSync(join(import.meta.dirname, "project"), projectDir, { recursive: true });
  const remove = () => rmSync(projectDir, { recursive: true, force: true });
  const app = await startApp(settings, projectDir).catch((error: unknown) => {
    remove();
    throw error;
  });
  await app.sql(sql);
  return {
    ...app,
    ask: (path, options) => app.request(`/functions/v1${path}`, options),
    person(claims = {}) {
      const id = randomUUID();
      const token = mint({ sub: id, role: "authenticated", aud: "authenticated", ...claims });
      return { id, token, client: app.client(undefined, { accessToken: async () => token }) };
    },
    said: (message) =>
      expect
        .poll(() => app.observations.some((one) => one.kind === "functions.log" && one.message === message), {
          interval: 20,
          message: `a function's line "${message}"`,
        })
        .toBe(true),
    async stop() {
      await app.stop();
      remove();
    },
  };
}

/** What a function answered, where it was to answer. */
export function ok<T>({ data, error }: { readonly data: T | null; readonly error: unknown }): T {
  expect(error).toBeNull();
  return data as T;
}

/** What `echo` has seen. */
export interface Echo {
  readonly method: string;
  readonly pathname: string;
  readonly search: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly base64: string;
}
