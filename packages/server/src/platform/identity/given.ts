import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../kernel/principal.ts";

/** No name of a header: nothing that comes over a socket can have it. */
const principal = Symbol("principal");

interface Given {
  readonly [principal]?: Principal;
}

/**
 * Says in `headers` whom a request within this process is from: whoever looks for a key or token there finds this principal, and no other. For
 * routes that ask whether there is any, `apikey` and `authorization` are filled in where they are not; their text opens nothing.
 */
export function giveTo(headers: IncomingHttpHeaders, who: Principal): void {
  headers.apikey ??= "internal";
  if (who.isAuthenticated) headers.authorization ??= "Bearer internal";
  Object.defineProperty(headers, principal, { value: who });
}

/** The principal that a request within this process was given; `undefined` for whatever came over a socket. */
export const givenIn = (headers: IncomingHttpHeaders): Principal | undefined => (headers as Given)[principal];
