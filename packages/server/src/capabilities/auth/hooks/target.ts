import { SettingError } from "../../../kernel/settings.ts";

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
  return { kind: "http", url, keys: signingKeys(setting, secrets) };
}

function postgresTarget(setting: string, url: URL): HookTarget {
  const [schema = "", name = "", ...rest] = url.pathname.slice(1).split("/").map(decodeURIComponent);
  const isName = (text: string) => /^[A-Za-z_][A-Za-z0-9_$]{0,62}$/.test(text);
  if (url.hostname !== "postgres" || !isName(schema) || !isName(name) || rest.length > 0) {
    throw new SettingError(`${setting}_URI must be of the form pg-functions://postgres/<schema>/<function>.`);
  }
  return { kind: "postgres", schema, function: name };
}

/** `v1,whsec_<base64>|v1,whsec_…` (Standard Webhooks: 24 to 64 bytes each). Several while they are being rotated. */
function signingKeys(setting: string, secrets: string | null): readonly Buffer[] {
  const given = (secrets ?? "").split("|").filter((secret) => secret !== "");
  if (given.length === 0) throw new SettingError(`${setting}_SECRETS must be set for a hook over HTTP.`);
  return given.map((secret) => {
    const encoded = /^v1,whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret.trim())?.[1];
    const key = Buffer.from(encoded ?? "", "base64");
    if (key.length < 24 || key.length > 64) {
      throw new SettingError(
        `${setting}_SECRETS must be of the form v1,whsec_<base64 of 24 to 64 bytes>, several divided by "|".`,
      );
    }
    return key;
  });
}
