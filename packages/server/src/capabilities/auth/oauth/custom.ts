import { SettingError } from "../../../kernel/settings.ts";
import { isObject } from "../request.ts";
import { standardOidc, standardProfile } from "./providers/generic.ts";
import { textAt } from "./read.ts";
import type { ProviderDefinition, ProviderOptions } from "./types.ts";

/** `custom:` and a name: what apps ask for (Supabase docs, Custom OAuth providers). */
export const customName = /^custom:[a-z0-9][a-z0-9_-]{0,63}$/;

const optionKeys = [
  "enabled",
  "client_id",
  "secret",
  "url",
  "redirect_uri",
  "email_optional",
  "skip_nonce_check",
] as const;
const customKeys = [
  ...optionKeys,
  "issuer",
  "authorization_url",
  "token_url",
  "userinfo_url",
  "scopes",
  "pkce",
  "client_auth",
] as const;

/** One entry of the setting `providers`, read. */
export interface GivenProvider {
  readonly isEnabled: boolean;
  readonly options: ProviderOptions;
}

/** @throws SettingError naming the entry and the key that is wrong; never a value, which may be a secret */
export function readProvider(name: string, value: unknown): GivenProvider {
  const entry = entryOf(name, value, customName.test(name) ? customKeys : optionKeys);
  return {
    isEnabled: entry.flag("enabled", true),
    options: {
      clientIds: entry.list("client_id"),
      secret: entry.text("secret"),
      redirectUri: entry.text("redirect_uri") || null,
      url: entry.text("url") || null,
      isEmailOptional: entry.flag("email_optional", false),
      skipsNonceCheck: entry.flag("skip_nonce_check", false),
      signing: null,
    },
  };
}

/** What a custom provider is: an OpenID issuer, or three URLs of a plain OAuth 2.0 service. @throws SettingError */
export function customDefinition(name: string, value: unknown): ProviderDefinition {
  const entry = entryOf(name, value, customKeys);
  const issuer = entry.text("issuer");
  const urls = {
    authorize: entry.text("authorization_url"),
    token: entry.text("token_url"),
    api: entry.text("userinfo_url"),
  };
  const isPlain = Object.values(urls).every((url) => url !== "");
  if ((issuer === "") === !isPlain) {
    throw new SettingError(
      `providers: ${name} needs either issuer, or authorization_url, token_url and userinfo_url together.`,
    );
  }
  const scopes = entry.list("scopes");
  const clientAuth = entry.text("client_auth") || "basic";
  if (clientAuth !== "basic" && clientAuth !== "post") {
    throw new SettingError(`providers: client_auth of ${name} must be basic or post.`);
  }
  const common = { name, usesPkce: entry.flag("pkce", true), clientAuth } as const;
  if (!isPlain) {
    return {
      ...common,
      scopes: scopes.length > 0 ? scopes : ["openid", "email", "profile"],
      oidc: standardOidc(issuer),
    };
  }
  return {
    ...common,
    scopes,
    oauth2: {
      endpoints: () => urls,
      async profile({ api, get }) {
        const user = await get(api);
        // OpenID's name for it, else what services without it have.
        const subject = textAt(user, "sub") || textAt(user, "id");
        return standardProfile({ ...(isObject(user) ? user : {}), sub: subject }, new URL(api).origin);
      },
    },
  };
}

function entryOf(name: string, value: unknown, keys: readonly string[]) {
  if (!isObject(value)) throw new SettingError(`providers: ${name} must be an object.`);
  const stray = Object.keys(value).find((key) => !keys.includes(key));
  if (stray !== undefined) {
    throw new SettingError(`providers: ${name} has no ${JSON.stringify(stray)}. It has ${keys.join(", ")}.`);
  }
  const refuse = (key: string, expected: string): never => {
    throw new SettingError(`providers: ${key} of ${name} must be ${expected}.`);
  };
  return {
    text(key: string): string {
      const found = value[key] ?? "";
      return typeof found === "string" ? found : refuse(key, "text");
    },
    flag(key: string, without: boolean): boolean {
      const found = value[key] ?? without;
      return typeof found === "boolean" ? found : refuse(key, "true or false");
    },
    /** As a list, or as text with commas or spaces. */
    list(key: string): readonly string[] {
      const found = value[key] ?? [];
      if (typeof found === "string") return found.split(/[\s,]+/).filter((item) => item !== "");
      if (Array.isArray(found) && found.every((item) => typeof item === "string" && item !== "")) return found;
      return refuse(key, "a list of texts");
    },
  };
}
