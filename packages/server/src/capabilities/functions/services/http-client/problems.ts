import { Problem } from "../../../../kernel/problem.ts";
import type { OutboundFailure } from "../../../../platform/outbound/index.ts";

/** Why `ctx.http` has no answer. A function gets the code alone, as `HttpClient` says. */
export const httpClientProblems = {
  /** The service gave no complete answer in time (`timeoutMs`). */
  timeout: (message: string, cause?: unknown) => new Problem("timeout", 504, message, { cause }),
  /** No connection to the service, a broken one, no valid certificate, or no HTTP. */
  network: (message: string, cause?: unknown) => new Problem("network", 502, message, { cause }),
  /** The name stands for a private address. */
  address: (message: string, cause?: unknown) =>
    new Problem("address", 403, message, {
      cause,
      hint: "If it is meant to be reached, name the host in MAINSTAY_FUNCTIONS_ALLOWED_HOSTS.",
    }),
  /** The answer has more bytes than are taken (`functionsHttpAnswerBytes`). */
  tooLarge: (message: string, cause?: unknown) => new Problem("too-large", 502, message, { cause }),
  /** The answer sends us elsewhere, too often, to a place without encryption, or after something that must not be sent twice. */
  redirect: (message: string, cause?: unknown) => new Problem("redirect", 502, message, { cause }),
  /** The service has failed several times in a row and is left alone for a while. */
  open: (origin: string, restMs: number) =>
    new Problem(
      "open",
      503,
      `${origin} has failed several times in a row and is left alone for ${Math.ceil(restMs / 1000)} s.`,
    ),
};

const byReason = {
  timeout: httpClientProblems.timeout,
  network: httpClientProblems.network,
  address: httpClientProblems.address,
  "too-large": httpClientProblems.tooLarge,
  redirect: httpClientProblems.redirect,
} satisfies Record<OutboundFailure, unknown>;

export const problemOf = (reason: OutboundFailure, message: string, cause?: unknown): Problem =>
  byReason[reason](message, cause);
