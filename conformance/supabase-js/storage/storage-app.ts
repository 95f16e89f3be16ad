import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { SupabaseClient } from "@supabase/supabase-js";
import { expect } from "vitest";
import { type App, type AppSettings, mint, startApp } from "../app.ts";

export type Storage = SupabaseClient["storage"];

/** The buckets and policies of `fixture.sql`. */
export const fixture = readFileSync(join(import.meta.dirname, "fixture.sql"), "utf8");

/** Somebody who is signed in. */
export interface Person {
  readonly id: string;
  readonly token: string;
  readonly storage: Storage;
}

/** A server with the buckets and policies of `fixture.sql`, and who asks it. */
export interface StorageApp extends App {
  /** By the service's key, which no policy binds. */
  readonly service: Storage;
  /** By the public key, and nobody signed in. */
  readonly nobody: Storage;
  /** A new person, whose token says what `claims` say besides. */
  person(claims?: Readonly<Record<string, unknown>>): Person;
}

export async function startStorageApp(storage: AppSettings["storage"] = {}): Promise<StorageApp> {
  const app = await startApp({ storage });
  await app.sql(fixture);
  const withToken = (token: string): SupabaseClient => app.client(undefined, { accessToken: async () => token });
  return {
    ...app,
    service: app.client(app.serviceRoleKey).storage,
    nobody: app.client().storage,
    person(claims = {}) {
      const id = randomUUID();
      const token = mint({ sub: id, role: "authenticated", aud: "authenticated", ...claims });
      return { id, token, storage: withToken(token).storage };
    },
  };
}

/** What the client gave, where it was to give something. */
export function ok<T>({ data, error }: { readonly data: T | null; readonly error: unknown }): T {
  expect(error).toBeNull();
  return data as T;
}

/** What an error of the client's says; `null` where there is none. */
export const told = ({ error }: { readonly error: unknown }): unknown => {
  if (error === null) return null;
  const { name, status, statusCode, code, message } = error as Record<string, unknown>;
  return { name, status, statusCode, code, message };
};

/** The errors that apps meet, as the client tells them (protocols: errors). */
export const refusals = {
  noBucket: apiError("404", "NoSuchBucket", "Bucket not found"),
  noObject: apiError("404", "NoSuchKey", "Object not found"),
  taken: apiError("409", "KeyAlreadyExists", "The resource already exists"),
  denied: apiError("403", "AccessDenied", "new row violates row-level security policy"),
  tooLarge: apiError("413", "EntityTooLarge", "The object exceeded the maximum allowed size"),
  wrongType: (type: string) => apiError("415", "InvalidMimeType", `mime type ${type} is not supported`),
};

export function apiError(statusCode: string, code: string, message: unknown) {
  return { name: "StorageApiError", status: 400, statusCode, code, message };
}

/** One pixel. */
export const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

export const textOf = async (blob: Blob | null): Promise<string> => (await blob?.text()) ?? "";
