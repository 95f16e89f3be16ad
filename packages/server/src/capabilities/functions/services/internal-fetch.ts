import type { Principal } from "../../../kernel/principal.ts";
import type { Internal } from "../../../platform/http/index.ts";
import type { InternalFetch } from "../types.ts";
import { serviceProblems } from "./problems.ts";

/** `ctx.db`, `ctx.storage`, `ctx.admin`: this server's own routes, with the invocation's principal. */
export function createInternalFetch(needs: {
  readonly internal: Internal;
  /** Whom `ctx.admin` acts for. */
  readonly service: Principal;
  /** Where functions believe the project to be. */
  readonly projectUrl: () => string;
}): InternalFetch {
  const { internal, service } = needs;
  return (request, invocation, as) => {
    const origin = needs.projectUrl().replace(/\/+$/, "");
    const target = targetIn(request.url, origin);
    if (target === null) return Promise.reject(serviceProblems.notOurs());
    return internal.call(
      {
        id: invocation.id,
        method: request.method,
        target,
        headers: request.headers,
        body: request.body,
        origin,
        signal: invocation.signal,
        depth: invocation.depth ?? 0,
      },
      as === "sent" ? null : as === "admin" ? service : invocation.who,
    );
  };
}

/** Path and query, as a client would send them; `null` when the URL leads elsewhere. */
function targetIn(url: string, origin: string): string | null {
  if (!url.startsWith(origin)) return null;
  const rest = url.slice(origin.length);
  const hash = rest.indexOf("#");
  const target = hash === -1 ? rest : rest.slice(0, hash);
  if (target === "" || target.startsWith("?")) return `/${target}`;
  // `http://127.0.0.1:54321.evil.example` begins with our origin, and is not ours.
  return target.startsWith("/") ? target : null;
}
