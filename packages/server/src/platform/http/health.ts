import { json, type Reply, type RouteGroup } from "../../kernel/route.ts";
import { gatewayCors, problemJson } from "./boundary.ts";

/** How one part of the server is. A closed list: `/health` is open to all, so nothing can leak into it. */
export type PartState = "ok" | "starting" | "migrating" | "recovering" | "draining" | "unavailable";

/** What the server knows of itself already. Ready when every part is `ok`. */
export interface Readiness {
  readonly parts: Readonly<Record<string, PartState>>;
  /** Shown besides; without them, requests are served all the same. */
  readonly optional?: Readonly<Record<string, PartState>>;
}

const live: Reply = {
  status: 200,
  headers: ["Content-Type", "application/json; charset=utf-8", "Cache-Control", "no-store"],
  body: '{"status":"ok"}',
};

/**
 * Probes. `live` says the event loop turns; `ready` whether to send requests here; `/health` the same with its parts.
 * Neither does any work: what they say is state others keep (threat X10).
 */
export function healthRoutes(isReady: () => Readiness): RouteGroup {
  const isOk = ({ parts }: Readiness) => Object.values(parts).every((state) => state === "ok");
  const answer = (isOkNow: boolean, body: unknown) =>
    json(body, isOkNow ? 200 : 503, ["Cache-Control", "no-store", ...(isOkNow ? [] : ["Retry-After", "1"])]);
  return {
    mount: "/health",
    boundary: problemJson,
    cors: gatewayCors,
    routes: [
      {
        method: "GET",
        path: "/live",
        access: "open",
        summary: "Whether the process answers.",
        handle: () => live,
      },
      {
        method: "GET",
        path: "/ready",
        access: "open",
        summary: "Whether requests should be sent here.",
        handle() {
          const isOkNow = isOk(isReady());
          return answer(isOkNow, { status: isOkNow ? "ok" : "unavailable" });
        },
      },
      {
        method: "GET",
        path: "/",
        access: "open",
        summary: "How each part of the server is.",
        handle() {
          const readiness = isReady();
          const isOkNow = isOk(readiness);
          const parts = { ...readiness.parts, ...readiness.optional };
          return answer(isOkNow, { status: isOkNow ? "ok" : "unavailable", parts });
        },
      },
    ],
  };
}
