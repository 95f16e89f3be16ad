import type { Call } from "../../../kernel/route.ts";

/** Where the caller has reached us: what the URL of an upload begins with. */
export function originOf({ headers }: Pick<Call, "headers">): string {
  const { host } = headers;
  return host === undefined || !/^[A-Za-z0-9.:[\]_-]{1,255}$/.test(host) ? "" : `http://${host}`;
}
