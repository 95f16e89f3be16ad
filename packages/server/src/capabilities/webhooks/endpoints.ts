import type { Values } from "../../kernel/settings.ts";
import { Breaker } from "../../platform/outbound/index.ts";
import type { webhooksSettings } from "./settings.ts";

/** A place among the deliveries that are under way to one endpoint. */
export interface EndpointPlace {
  succeeded(): void;
  /** @param retryAfterMs what the endpoint asked for */
  failed(retryAfterMs: number | null): void;
  leave(): void;
}

/** How this node treats each endpoint: one that fails is left alone, and asked again with one message (threat X12). */
export interface Endpoints {
  /** @returns a place, or in how many ms to ask again */
  enter(webhookId: string): EndpointPlace | number;
}

/** Known at once; beyond it those that work are forgotten. */
const endpointsMax = 1_000;
/** The first rest of an endpoint and the longest, in ms. */
const rest = { firstMs: 1_000, maxMs: 300_000 };
/** Who finds the one trial under way asks again after some of this, in ms. */
const trialMs = 1_000;

export function createEndpoints(
  { webhookBreakerFailures: failures }: Pick<Values<typeof webhooksSettings>, "webhookBreakerFailures">,
  nowMs: () => number = () => performance.now(),
): Endpoints {
  const known = new Map<string, { readonly breaker: Breaker; underWay: number }>();
  return {
    enter(webhookId) {
      const endpoint = known.get(webhookId) ?? { breaker: new Breaker({ failures, ...rest }, nowMs), underWay: 0 };
      known.set(webhookId, endpoint);
      const { breaker } = endpoint;
      if (breaker.room <= endpoint.underWay) {
        // Not all at once when the rest is over.
        return Math.ceil(Math.max(breaker.restMs, trialMs) * (1 + Math.random() / 2));
      }
      endpoint.underWay += 1;
      return {
        succeeded: () => breaker.succeeded(),
        failed: (retryAfterMs) => breaker.failed(retryAfterMs),
        leave() {
          endpoint.underWay -= 1;
          if (known.size > endpointsMax && endpoint.underWay === 0 && !breaker.isDown) known.delete(webhookId);
        },
      };
    },
  };
}
