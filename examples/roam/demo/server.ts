import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Where the API is, and the key that apps come with. */
export interface Server {
  readonly url: string;
  readonly anonKey: string;
}

/** The command of Mainstay, as `npm start` uses it. */
export const cli = join(import.meta.dirname, "../../../packages/cli/bin/mainstay.mjs");
/** This project. */
export const projectDir = join(import.meta.dirname, "..");

/** What was given, then the environment, then the running server of this project. */
export function findServer(given: { readonly url?: string | undefined; readonly key?: string | undefined }): Server {
  const url = given.url ?? process.env.MAINSTAY_URL;
  const anonKey = given.key ?? process.env.MAINSTAY_ANON_KEY;
  if (url !== undefined && anonKey !== undefined) return { url, anonKey };
  const shown = execFileSync(process.execPath, [cli, "keys", "show", "--json", "--dir", projectDir], {
    encoding: "utf8",
  });
  const keys: Server = JSON.parse(shown);
  return { url: url ?? keys.url, anonKey: anonKey ?? keys.anonKey };
}

/** Asked first: a client library would only say that its fetch failed. Any answer will do. */
export async function isServing(url: string): Promise<boolean> {
  return fetch(new URL("/health/live", url), { signal: AbortSignal.timeout(5_000) }).then(
    () => true,
    () => false,
  );
}
