import type { ApiKeys } from "@mainstay/server";
import type { Style } from "../output/style.ts";

export interface Announcement {
  readonly url: string;
  /** Where mails and text messages are caught; `null` where they are not. */
  readonly inboxUrl: string | null;
  readonly keys: ApiKeys;
  /** What to type for this command line here: `mainstay`, `npx mainstay`. */
  readonly command: string;
  /** How to name this project to other commands: `""`, or ` --dir examples/roam`. */
  readonly dirOption: string;
  /** A table that the shown calls read; `null` shows calls that need none. */
  readonly table: string | null;
  readonly readyMs: number;
}

/** What a person wants to see when the server is up: where it is, the keys, and two calls to copy that work. */
export function announce(
  { url, inboxUrl, keys, command, dirOption, table, readyMs }: Announcement,
  style: Style,
): string {
  const row = (label: string, value: string) => `  ${style.dim(label.padEnd(16))}${value}`;
  const snippet = table === null ? signUpSnippet : readSnippet(table);
  const target = table === null ? "/auth/v1/health" : `/rest/v1/${encodeURIComponent(table)}?select=*&limit=3`;
  return [
    "",
    `  ${style.bold(style.green("Mainstay is ready"))} ${style.dim(`in ${Math.round(readyMs).toLocaleString("en")} ms`)}`,
    "",
    row("URL", style.bold(style.cyan(url))),
    ...(inboxUrl === null ? [] : [row("Inbox", `${style.cyan(inboxUrl)} ${style.dim("mails and text messages")}`)]),
    row("Publishable key", keys.publishableKey),
    row("Anon key", keys.anonKey),
    row("Service key", style.dim(`a secret: ${command} keys show${dirOption}`)),
    "",
    style.dim("  // npm install @supabase/supabase-js"),
    '  import { createClient } from "@supabase/supabase-js";',
    `  const app = createClient("${url}", "${keys.publishableKey}");`,
    `  ${snippet}`,
    "",
    `  curl "${url}${target}" -H "apikey: ${keys.publishableKey}"`,
    "",
    style.dim("  Ctrl-C stops everything."),
    "",
    "",
  ].join("\n");
}

const readSnippet = (table: string): string =>
  `console.log(await app.from(${JSON.stringify(table)}).select().limit(3));`;
const signUpSnippet = 'console.log(await app.auth.signUp({ email: "you@example.com", password: "a long password" }));';
