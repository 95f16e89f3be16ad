import { isIP } from "node:net";
// File by file: every thread loads what stands here.
import { createGuard, type IsAllowedAddress } from "../../../../platform/outbound/allowed.ts";
import { isPublicAddress } from "../../../../platform/outbound/public-address.ts";

/** Most private addresses that are remembered as allowed; the oldest is forgotten first. */
const grantsLimit = 1_000;

/** Which addresses this thread may connect to. */
export interface Addresses {
  /** What a connection that was asked for by this name is held to. Private addresses it allows stay allowed, for this port. */
  forHost(host: string, port: number): IsAllowedAddress;
  /** Whether a socket may go there: what is public, and what `forHost` has allowed. The last to be asked, by every connection. */
  isAllowed(address: string, port: number): boolean;
}

/** @param urls what the server itself has told the function of, and may be reached wherever it is: the project, its database */
export function createAddresses(allowedHosts: readonly string[], urls: readonly string[]): Addresses {
  const guard = createGuard([...allowedHosts, ...urls.flatMap(hostOf)]);
  const grants = new Set<string>();
  const keyOf = (address: string, port: number): string => `${address} ${port}`;
  return {
    forHost(host, port) {
      const isAllowed = guard.addressesFor(urlOf(host, port));
      return (address) => {
        if (isPublicAddress(address)) return true;
        if (!isAllowed(address)) return false;
        const key = keyOf(address, port);
        // Again, it is the newest.
        grants.delete(key);
        grants.add(key);
        if (grants.size > grantsLimit) grants.delete(grants.values().next().value!);
        return true;
      };
    },
    isAllowed: (address, port) => isPublicAddress(address) || grants.has(keyOf(address, port)),
  };
}

const ports: Readonly<Record<string, number>> = { "https:": 443, "postgres:": 5432, "postgresql:": 5432 };

/** With the port, which a URL leaves out where it is the scheme's own. A database may be named without a host. */
function hostOf(text: string): string[] {
  const url = URL.parse(text);
  // A local socket is none, however it is written.
  if (url === null || url.hostname === "" || url.hostname.includes("%")) return [];
  return [`${url.hostname}:${url.port || (ports[url.protocol] ?? 80)}`];
}

/** Under which no host of a list is found: no list can have it. */
const nobody = new URL("http://nobody.invalid/");

function urlOf(host: string, port: number): URL {
  const written = isIP(host) === 6 ? `[${host}]` : host;
  return URL.parse(`http://${written}:${port}/`) ?? nobody;
}
