import type { S3ClientConfig } from "@aws-sdk/client-s3";

type RetryStrategy = Exclude<NonNullable<S3ClientConfig["retryStrategy"]>, { retry: unknown }>;

/** Pause before the second attempt, in ms; doubled before each further one. */
const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** A pause between half of it and all of it, at random: what failed together does not come back together. */
export function pauseMs(failures: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
}

/**
 * So many attempts for each request: for 5xx, throttling, timeouts and connections that break; never for what was refused. The library's own strategy has
 * one budget for all requests: after an outage it would try nothing twice for a while, and an upload is too dear for that.
 */
export function retryStrategy(attempts: number): RetryStrategy {
  const token = (failures: number, delayMs: number) => ({
    getRetryCount: () => failures,
    getRetryDelay: () => delayMs,
  });
  return {
    acquireInitialRetryToken: async () => token(0, 0),
    async refreshRetryTokenForRetry(last, { errorType, retryAfterHint }) {
      const failures = last.getRetryCount() + 1;
      if (failures >= attempts || errorType === "CLIENT_ERROR") throw new Error("No further attempt.");
      const askedMs =
        retryAfterHint === undefined ? 0 : Math.min(longestPauseMs, retryAfterHint.getTime() - Date.now());
      return token(failures, Math.max(askedMs, pauseMs(failures)));
    },
    recordSuccess() {},
  };
}
