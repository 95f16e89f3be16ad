import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import type { LookupFunction } from "node:net";
import { notAllowed } from "./error.ts";

/** `dns.lookup`, always asked for all addresses. */
export type Resolve = (
  host: string,
  options: LookupOptions & { all: true },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * What a socket asks for addresses: resolves once, checks all of them, and hands on what it checked, so that nobody asks again.
 * One address that is not allowed refuses the name: which of several a socket takes is not ours to say.
 */
export function checkedLookup(isAllowed: (address: string) => boolean, resolve: Resolve = lookup): LookupFunction {
  return (host, options, done) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return done(error, "");
      if (addresses.length === 0 || !addresses.every(({ address }) => isAllowed(address)))
        return done(notAllowed(), "");
      if (options.all) return done(null, addresses);
      return done(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
