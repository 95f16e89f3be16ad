import type { IncomingHttpHeaders } from "node:http";
import type { Clock } from "../../kernel/clock.ts";
import { Lru } from "../../kernel/lru.ts";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Values } from "../../kernel/settings.ts";
import { type ClaimRules, keyPrincipal, principalOf, serviceRole } from "./claims.ts";
import { bearerOf, isBrowser, keyOf } from "./credentials.ts";
import { givenIn } from "./given.ts";
import type { Issuers } from "./issuers.ts";
import { isSignedBy, JwsError, type ParsedJws, parseJws, type VerificationKey } from "./jws.ts";
import type { Keyring } from "./keyring.ts";
import { problems } from "./problems.ts";
import { parseRolePath } from "./role-path.ts";
import type { identitySettings } from "./settings.ts";
import type { Ended, Identity } from "./types.ts";

/** A key or request that was settled: what a cache hit needs to know, and no more. */
interface Settled {
  /** Spelled out because one token may come with different keys. */
  readonly apikey: string;
  readonly principal: Principal;
  /** When a part of it dies, in Unix milliseconds. */
  readonly expiresAtMs: number;
  /** True when it must not come from a browser. */
  readonly isGuarded: boolean;
}

/** A request's `Authorization`, and what came of it. */
interface Remembered extends Settled {
  readonly authorization: string;
}

/**
 * A token that was refused and would be again: whoever sends it over and over costs a look-up, and not a signature check. Not for long,
 * so that what was wrong here is not wrong for ever.
 */
interface Refused {
  readonly token: string;
  readonly problem: () => Problem;
  readonly untilMs: number;
}

/** 4 MB at most, with the longest tokens remembered. */
const maxRefused = 1_000;
const refusedMaxChars = 4_096;
const refusedMs = 10_000;

/** How to refuse again, for what does not become good by waiting; `null` for what may. */
function lastingRefusal(error: unknown): (() => Problem) | null {
  if (!(error instanceof Problem)) return null;
  if (error.code === "identity/token-expired") return problems.tokenExpired;
  const { message } = error;
  return error.code === "identity/token-invalid" ? () => problems.tokenInvalid(message) : null;
}

/**
 * What a request is remembered by. A header is a new string in every request, and hashing the whole of a token costs more than
 * everything else here; its end is the signature, which nobody can choose. The whole text is compared afterwards.
 */
const tailChars = 32;
const tailOf = (authorization: string): string =>
  authorization.length <= tailChars ? authorization : authorization.slice(-tailChars);

/**
 * Settles who is asking, by the rules of Supabase's gateway (Supabase docs, API keys). On a hit this is one look-up and
 * a comparison: by the `Authorization` text, or by the key when it comes alone.
 */
export class Authenticator implements Identity {
  readonly anonymous: Principal;
  readonly #settings: Values<typeof identitySettings>;
  readonly #clock: Clock;
  readonly #ownRules: ClaimRules;
  readonly #foreignRules: ClaimRules;
  readonly #issuers: Issuers;
  #keyring: Keyring;
  #ended: Ended | null = null;
  /** API key → what it is. Replaced with the keyring. */
  #apiKeys: ReadonlyMap<string, Settled>;
  readonly #tokens: Lru<string, Principal>;
  readonly #requests: Lru<string, Remembered>;
  readonly #refused = new Lru<string, Refused>(maxRefused);
  readonly #listeners = new Set<() => void>();

  constructor(needs: {
    readonly settings: Values<typeof identitySettings>;
    readonly clock: Clock;
    readonly keyring: Keyring;
    readonly issuers: Issuers;
  }) {
    const { settings } = needs;
    this.#settings = settings;
    this.#clock = needs.clock;
    this.#keyring = needs.keyring;
    this.#issuers = needs.issuers;
    this.anonymous = keyPrincipal(settings.anonymousRole, settings.anonymousRole);
    this.#tokens = new Lru(settings.tokenCacheSize);
    this.#requests = new Lru(settings.tokenCacheSize);
    this.#ownRules = {
      rolePath: parseRolePath(settings.jwtRoleClaim),
      anonymousRole: settings.anonymousRole,
      audience: settings.jwtAudience === null ? null : { value: settings.jwtAudience, mustName: false },
      refusedRoles: [],
      mustExpire: false,
      leewaySeconds: settings.jwtLeewaySeconds,
    };
    // Another issuer says who its users are; that one of them is our server, only our own keys may say.
    this.#foreignRules = { ...this.#ownRules, refusedRoles: [serviceRole, "supabase_admin"], mustExpire: true };
    this.#apiKeys = this.#settleApiKeys();
  }

  /** Puts other keys in force and forgets everything the old ones verified (threat A04). */
  replaceKeyring(keyring: Keyring): void {
    this.#keyring = keyring;
    this.#apiKeys = this.#settleApiKeys();
    this.forget();
  }

  /** Refuses from now on what `ended` knows to be over, remembered requests included. */
  refuseEnded(ended: Ended): void {
    this.#ended = ended;
    const drop = () => this.#requests.deleteWhere(({ principal }) => ended.reasonOf(principal) !== null);
    ended.onEnded(drop);
    drop();
  }

  /** Forgets what was verified, and tells those who hold something open by it. */
  forget(): void {
    this.#refused.clear();
    this.#tokens.clear();
    this.#requests.clear();
    for (const listener of this.#listeners) listener();
  }

  onKeysReplaced(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  identify(headers: IncomingHttpHeaders, query: string): Principal {
    const given = givenIn(headers);
    if (given !== undefined) return this.#unlessOver(given);
    const authorization = headers.authorization;
    const apikey = headers.apikey;
    if (typeof apikey === "string") {
      const hit = authorization === undefined ? this.#apiKeys.get(apikey) : this.#remembered(authorization);
      if (
        hit !== undefined &&
        hit.apikey === apikey &&
        hit.expiresAtMs > this.#clock.nowMs() &&
        !(hit.isGuarded && isBrowser(headers))
      ) {
        return hit.principal;
      }
    }
    const bearer = bearerOf(authorization);
    const settled = this.#settle(bearer, keyOf(headers, query));
    this.#guard(settled, headers);
    // One spelling only: with any number of spaces, or another scheme, anybody could fill the cache with long texts.
    const isPlain = authorization !== undefined && bearer !== null && authorization.length === bearer.length + 7;
    if (isPlain) this.#requests.set(tailOf(authorization), { ...settled, authorization });
    return settled.principal;
  }

  #remembered(authorization: string): Settled | undefined {
    const remembered = this.#requests.get(tailOf(authorization));
    return remembered?.authorization === authorization ? remembered : undefined;
  }

  identifyKey(headers: IncomingHttpHeaders, query: string): Principal {
    const given = givenIn(headers);
    if (given !== undefined) {
      // A user's token is no key, and what comes with it over a socket is the anonymous one.
      const isKey = given.subject === null && given.role === serviceRole;
      return isKey ? this.#unlessOver(given) : this.anonymous;
    }
    const key = keyOf(headers, query) ?? this.#keyInBearer(bearerOf(headers.authorization));
    if (key === null) {
      if (this.#settings.apiKeyRequired) throw problems.keyMissing();
      return this.anonymous;
    }
    const settled = this.#lookUpKey(key);
    this.#guard(settled, headers);
    return settled.principal;
  }

  identifyBearer(headers: IncomingHttpHeaders): Principal {
    const given = givenIn(headers);
    if (given !== undefined) return this.#unlessOver(given);
    const bearer = bearerOf(headers.authorization);
    if (bearer === null) return this.anonymous;
    const settled = this.#lookUpBearer(bearer);
    this.#guard(settled, headers);
    return settled.principal;
  }

  verify(token: string): Principal {
    const principal = this.#tokens.get(token);
    if (principal === undefined) return this.#verifyAnew(token);
    if (principal.expiresAtMs <= this.#clock.nowMs()) {
      this.#tokens.delete(token);
      throw problems.tokenExpired();
    }
    return this.#unlessEnded(principal);
  }

  #verifyAnew(token: string): Principal {
    const tail = tailOf(token);
    const refused = this.#refused.get(tail);
    if (refused?.token === token && refused.untilMs > this.#clock.nowMs()) throw refused.problem();
    try {
      const principal = this.#verify(token);
      this.#tokens.set(token, principal);
      return this.#unlessEnded(principal);
    } catch (error) {
      const problem = token.length <= refusedMaxChars ? lastingRefusal(error) : null;
      if (problem !== null) {
        this.#refused.set(tail, { token, problem, untilMs: this.#clock.nowMs() + refusedMs });
      }
      throw error;
    }
  }

  /** Somebody verified earlier, who may have ceased to be good since. */
  #unlessOver(principal: Principal): Principal {
    if (principal.expiresAtMs <= this.#clock.nowMs()) throw problems.tokenExpired();
    return this.#unlessEnded(principal);
  }

  #unlessEnded(principal: Principal): Principal {
    const reason = this.#ended?.reasonOf(principal) ?? null;
    switch (reason) {
      case null:
        return principal;
      case "ban":
        throw problems.userBanned();
      case "deletion":
        throw problems.userDeleted();
      case "session":
      case "keys":
        throw problems.sessionEnded();
    }
  }

  #settle(bearer: string | null, givenKey: string | null): Settled {
    const key = givenKey ?? this.#keyInBearer(bearer);
    let byKey: Settled | null = null;
    if (key !== null) byKey = this.#lookUpKey(key);
    else if (this.#settings.apiKeyRequired) throw problems.keyMissing();

    const apikey = key ?? "";
    const byBearer = bearer === null || bearer === key ? byKey : this.#lookUpBearer(bearer);
    if (byBearer === null) {
      return { apikey, principal: this.anonymous, expiresAtMs: Number.POSITIVE_INFINITY, isGuarded: false };
    }
    return {
      apikey,
      principal: byBearer.principal,
      expiresAtMs: Math.min(byBearer.expiresAtMs, byKey?.expiresAtMs ?? Number.POSITIVE_INFINITY),
      isGuarded: byBearer.isGuarded || (byKey?.isGuarded ?? false),
    };
  }

  /** What a bearer says of itself: one of our keys, or a token. */
  #lookUpBearer(bearer: string): Settled {
    if (bearer.startsWith("sb_") || this.#apiKeys.has(bearer)) return this.#lookUpKey(bearer);
    return this.#settled(bearer, this.verify(bearer));
  }

  /**
   * A key we gave out, or a token we signed that names no user: legacy keys are such tokens, so those made with an
   * imported secret are known without being told of.
   */
  #lookUpKey(key: string): Settled {
    const known = this.#apiKeys.get(key);
    if (known !== undefined && known.expiresAtMs > this.#clock.nowMs()) return known;
    if (known === undefined && key.startsWith("ey")) {
      try {
        const principal = this.verify(key);
        const isOurs = !this.#isForeign(principal.claims.iss);
        if (isOurs && principal.subject === null) return this.#settled(key, principal);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
      }
    }
    throw problems.keyUnknown();
  }

  /** A key sent as bearer alone counts as key too; a user's token does not. */
  #keyInBearer(bearer: string | null): string | null {
    return bearer !== null && (bearer.startsWith("sb_") || this.#apiKeys.has(bearer)) ? bearer : null;
  }

  #settled(apikey: string, principal: Principal): Settled {
    return { apikey, principal, expiresAtMs: principal.expiresAtMs, isGuarded: this.#isGuarded(apikey, principal) };
  }

  #isGuarded(key: string, principal: Principal): boolean {
    const refused = this.#settings.refuseServiceKeysInBrowsers;
    if (principal.role !== serviceRole || refused === "none") return false;
    return refused === "all" || key.startsWith("sb_secret_");
  }

  #guard(settled: Settled, headers: IncomingHttpHeaders): void {
    if (settled.isGuarded && isBrowser(headers)) throw problems.secretKeyInBrowser();
  }

  #verify(token: string): Principal {
    if (token.length > this.#settings.tokenMaxBytes) throw problems.tokenInvalid("JWT is too long");
    const jws = this.#parse(token);
    const foreign = this.#isForeign(jws.payload.iss) ? this.#issuers.find(jws.payload.iss as string) : undefined;
    const key = (foreign ?? this.#keyring)
      .candidates(jws.algorithm, jws.kid)
      .find((candidate) => this.#isGood(jws, candidate));
    if (key === undefined) throw problems.tokenInvalid("No suitable key or wrong key type");
    const rules =
      foreign === undefined
        ? this.#ownRules
        : { ...this.#foreignRules, audience: { value: foreign.audience, mustName: true } };
    const principal = principalOf(jws.payload, jws.payloadText, rules, this.#clock.nowMs());
    return principal.expiresAtMs <= key.retiresAtMs ? principal : { ...principal, expiresAtMs: key.retiresAtMs };
  }

  #isGood(jws: ParsedJws, key: VerificationKey): boolean {
    if (key.retiresAtMs <= this.#clock.nowMs()) return false;
    try {
      return isSignedBy(jws, key);
    } catch {
      // OpenSSL throws for signatures it cannot even read.
      return false;
    }
  }

  #parse(token: string): ParsedJws {
    try {
      return parseJws(token);
    } catch (error) {
      if (error instanceof JwsError) throw problems.tokenInvalid(error.message, error);
      throw error;
    }
  }

  #isForeign(issuer: unknown): boolean {
    return typeof issuer === "string" && this.#issuers.find(issuer) !== undefined;
  }

  #settleApiKeys(): ReadonlyMap<string, Settled> {
    const { anonymousRole } = this.#settings;
    const { anonKey, serviceRoleKey, publishableKey, secretKey } = this.#keyring.apiKeys;
    const keys = new Map<string, Settled>();
    for (const [key, role] of [
      [publishableKey, anonymousRole],
      [secretKey, serviceRole],
      [anonKey, anonymousRole],
      [serviceRoleKey, serviceRole],
    ] as const) {
      keys.set(key, this.#settled(key, configuredKeyPrincipal(key, role, anonymousRole)));
    }
    return keys;
  }
}

/**
 * A configured key is known by its text, so its signature proves nothing more. Its claims are what SQL has always seen, and
 * its expiry holds; its role is the one it was configured for.
 */
function configuredKeyPrincipal(key: string, role: string, anonymousRole: string): Principal {
  const plain = keyPrincipal(role, anonymousRole);
  if (!key.startsWith("ey")) return plain;
  try {
    const { payload, payloadText } = parseJws(key);
    if (payload.role !== role) return plain;
    const exp = payload.exp;
    const expiresAtMs = typeof exp === "number" && Number.isFinite(exp) ? exp * 1000 : Number.POSITIVE_INFINITY;
    return Object.freeze({ ...plain, claims: payload, claimsJson: payloadText, expiresAtMs });
  } catch {
    return plain;
  }
}
