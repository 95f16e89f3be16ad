import { createHash } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import { Lru } from "../../../kernel/lru.ts";
import { outboundRequest } from "../../../platform/outbound/index.ts";

/** A range has some 1,000 lines of 40 bytes. */
const maxBytes = 262_144;
/** Ranges kept: 5 MB when full. */
const keptRanges = 128;
const keptMs = 3_600_000;
/** After so many failures in a row nobody is asked for a while: each would cost a sign-up the whole timeout. */
const failuresLimit = 3;
const restMs = 60_000;

/** Passwords known from breaches, by the first five digits of their SHA-1. */
export interface Ranges {
  /**
   * Whether the password was in a breach.
   * @throws OutboundError or Error when nobody can say
   */
  has(password: string): Promise<boolean>;
}

/** Pwned Passwords (haveibeenpwned.com, API v3, Searching by range): whoever is asked cannot tell which of about 1,000 passwords it was. */
export function createRanges(needs: {
  readonly url: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}): Ranges {
  const { url, timeoutMs, clock } = needs;
  const kept = new Lru<string, { readonly text: string; readonly atMs: number }>(keptRanges);
  let failures = 0;
  let restsUntilMs = 0;

  const fetchRange = async (prefix: string): Promise<string> => {
    if (clock.nowMs() < restsUntilMs)
      throw new Error("It did not answer the last times, and is left alone for a while.");
    try {
      const { status, body } = await outboundRequest(`${url.replace(/\/+$/, "")}/range/${prefix}`, {
        // Padding: the size of an encrypted answer would tell which range it is.
        headers: { "Add-Padding": "true", "User-Agent": "Mainstay" },
        timeoutMs,
        maxBytes,
        isRepeatable: true,
      });
      const text = body.toString("latin1");
      if (status !== 200 || !/^[0-9A-F]{35}:\d+\r?$/m.test(text))
        throw new Error(`It answered ${status} and no range.`);
      failures = 0;
      return text;
    } catch (error) {
      failures += 1;
      if (failures >= failuresLimit) restsUntilMs = clock.nowMs() + restMs;
      throw error;
    }
  };

  return {
    async has(password) {
      const digits = createHash("sha1").update(password).digest("hex").toUpperCase();
      const [prefix, rest] = [digits.slice(0, 5), digits.slice(5)];
      let range = kept.get(prefix);
      if (range === undefined || clock.nowMs() - range.atMs > keptMs) {
        range = { text: await fetchRange(prefix), atMs: clock.nowMs() };
        kept.set(prefix, range);
      }
      // Padding has a count of 0.
      return new RegExp(`^${rest}:0*[1-9]`, "m").test(range.text);
    },
  };
}
