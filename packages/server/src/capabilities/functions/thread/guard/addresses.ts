import { isIP } from "node:net";
import { createGuard, type IsAllowedAddress, isPublicAddress } from "../../../../platform/outbound/index.ts";

/** Most private addresses that are remembered as allowed; the oldest is forgotten first. */
const grantsLimit = 1_000;

/** Which addresses this thread may connect to. */
export interface Addresses {
  /** What a connection that was asked for by this name is held to. Private addresses it allows stay allowed, for this port. */
  forHost(host: string, port: number): IsAllowedAddress;
  /** Whether a socket may go there: what is public, and what `forHost` has allowed. The last to be asked, by every connection. */
  isAllowed(address: string, port: number): boolean;
}

/** @param projectUrl may be reached too, wherever it is: clients made by hand talk to it */
export function createAddresses(allowedHosts: readonly string[], projectUrl: string): Addresses {
  const guard = createGuard([...allowedHosts, hostOf(new URL(projectUrl))]);
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

/** With the port, which the URL leaves out where it is the scheme's own. */
function hostOf({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port === "" ? (protocol === "https:" ? 443 : 80) : port}`;
}

/** Under which no host of a list is found: no list can have it. */
const nobody = new URL("http://nobody.invalid/");

function urlOf(host: string, port: number): URL {
  const written = isIP(host) === 6 ? `[${host}]` : host;
  return URL.parse(`http://${written}:${port}/`) ?? nobody;
}
