import { SettingError } from "../../../kernel/settings.ts";
import { webhookKeys } from "../../../platform/outbound/index.ts";

/** Where one hook lives. */
export type HookTarget =
  | { readonly kind: "http"; readonly url: URL; readonly keys: readonly Buffer[] }
  | { readonly kind: "postgres"; readonly schema: string; readonly function: string };

/** Hosts that are this machine, to which nothing travels in the clear (supabase/auth's configuration has the same four). */
const localHosts = ["localhost", "127.0.0.1", "[::1]", "host.docker.internal"];

/**
 * Reads what the settings say of one hook.
 * @param setting the environment's name for it, for messages: `MAINSTAY_HOOK_SEND_SMS`
 * @throws SettingError naming the variable
 */
export function hookTarget(setting: string, uri: string | null, secrets: string | null): HookTarget {
  if (uri === null || uri === "")
    throw new SettingError(`${setting}_URI must be set where ${setting}_ENABLED is true.`);
  if (!URL.canParse(uri)) throw new SettingError(`${setting}_URI must be a URL, not "${uri}".`);
  const url = new URL(uri);
  if (url.protocol === "pg-functions:") return postgresTarget(setting, url);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && localHosts.includes(url.hostname))) {
    throw new SettingError(
      `${setting}_URI must begin with https:// or pg-functions://, or be http:// on this machine.`,
    );
  }
  if (secrets === null || secrets === "") {
    throw new SettingError(`${setting}_SECRETS must be set for a hook over HTTP.`);
  }
  return { kind: "http", url, keys: webhookKeys(`${setting}_SECRETS`, secrets) };
}

function postgresTarget(setting: string, url: URL): HookTarget {
  const [schema = "", name = "", ...rest] = url.pathname.slice(1).split("/").map(decodeURIComponent);
  const isName = (text: string) => /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(text);
  if (url.hostname !== "postgres" || !isName(schema) || !isName(name) || rest.length > 0) {
    throw new SettingError(`${setting}_URI must be of the form pg-functions://postgres/<schema>/<function>.`);
  }
  return { kind: "postgres", schema, function: name };
}
