import type { Clock } from "../../kernel/clock.ts";
import { reasonOf } from "../../kernel/reason.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { outboundRequest } from "../outbound/index.ts";
import { type VerificationKey, verificationKeyFromJwk } from "./jws.ts";
import { secretKey } from "./secret.ts";
import type { identitySettings } from "./settings.ts";

/** Somebody else whose tokens we accept: named by us, never by a token (threat A01). */
export interface Issuer {
  readonly issuer: string;
  /** A token must be for this audience (threat A02). */
  readonly audience: string;
  /** Keys of this issuer for that algorithm and `kid`; empty while none were fetched. */
  candidates(algorithm: string, kid: string | null): readonly VerificationKey[];
}

export interface Issuers {
  find(issuer: string): Issuer | undefined;
  close(): void;
}

/** Shortest time between two fetches that unknown `kid`s may cause: a stranger's token must not make us call out at will. */
const unknownKidPauseMs = 30_000;

/**
 * Fetches the key sets in the background, now and every `jwksRefreshMs`; what was fetched last stays in force while an
 * issuer is away. `onChange` is called when a set differs from before, so that verified tokens are forgotten.
 * @throws Error for an entry that is not `issuer|url|audience`.
 */
export function openIssuers(needs: {
  readonly settings: Values<typeof identitySettings>;
  readonly clock: Clock;
  readonly observe: Observe;
  readonly onChange: () => void;
}): Issuers {
  const { settings, clock, observe, onChange } = needs;
  const abort = new AbortController();
  const issuers = new Map<string, Issuer>();
  const refreshes: (() => void)[] = [];
  for (const entry of settings.thirdPartyIssuers) {
    const { issuer, url, audience } = parseEntry(entry);
    let keys: readonly VerificationKey[] = [];
    let seen = "";
    let lastFetchMs = Number.NEGATIVE_INFINITY;
    let isFetching = false;
    const refresh = () => {
      if (isFetching) return;
      isFetching = true;
      lastFetchMs = clock.nowMs();
      fetchJwks(url, settings, abort.signal)
        .then((text) => {
          if (text === seen) return;
          keys = parseJwks(text);
          seen = text;
          onChange();
        })
        .catch((error: unknown) => {
          if (abort.signal.aborted) return;
          const reason = reasonOf(error);
          observe({
            kind: "warning",
            area: "identity",
            message: `The keys of ${issuer} could not be fetched: ${reason}`,
          });
        })
        .finally(() => {
          isFetching = false;
        });
    };
    refreshes.push(refresh);
    issuers.set(issuer, {
      issuer,
      audience,
      candidates(algorithm, kid) {
        const found = keys.filter((key) => key.algorithm === algorithm && key.kid === kid);
        if (found.length === 0 && clock.nowMs() - lastFetchMs > unknownKidPauseMs) refresh();
        return found;
      },
    });
  }
  for (const refresh of refreshes) refresh();
  const timer = setInterval(() => {
    for (const refresh of refreshes) refresh();
  }, settings.jwksRefreshMs).unref();
  return {
    find: (issuer) => issuers.get(issuer),
    close() {
      clearInterval(timer);
      abort.abort();
    },
  };
}

function parseEntry(entry: string): { issuer: string; url: URL; audience: string } {
  const [issuer, address, audience, ...rest] = entry.split("|").map((part) => part.trim());
  if (!issuer || !address || !audience || rest.length > 0 || !URL.canParse(address)) {
    throw new Error(`The third-party issuer "${entry}" is not of the form issuer|jwks url|audience.`);
  }
  const url = new URL(address);
  const isLocal = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    throw new Error(`The keys of issuer "${issuer}" must be fetched over https.`);
  }
  return { issuer, url, audience };
}

/** One GET: no redirect is followed, and time and size are bounded (threat A30). */
async function fetchJwks(url: URL, settings: Values<typeof identitySettings>, stop: AbortSignal): Promise<string> {
  const { status, body } = await outboundRequest(url, {
    headers: { Accept: "application/json" },
    timeoutMs: settings.jwksTimeoutMs,
    maxBytes: settings.jwksMaxBytes,
    signal: stop,
  });
  if (status !== 200) throw new Error(`the answer was ${status}`);
  return body.toString("utf8");
}

function parseJwks(text: string): readonly VerificationKey[] {
  const keys = (JSON.parse(text) as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys)) throw new Error("the answer is not a JWK set");
  return keys.flatMap((jwk: unknown) => {
    if (typeof jwk !== "object" || jwk === null) return [];
    return verificationKeyFromJwk(jwk as Record<string, unknown>, { symmetric: false, secretKey }) ?? [];
  });
}
