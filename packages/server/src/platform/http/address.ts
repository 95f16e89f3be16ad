import { BlockList, isIP } from "node:net";

/** Tells our own proxies from everybody else. */
export type IsTrusted = (address: string) => boolean;

const named: Readonly<Record<string, readonly string[]>> = {
  loopback: ["127.0.0.0/8", "::1/128"],
  private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
};

/** More hops than any real chain has; bounds the work on a forged one. */
const hopsLimit = 32;

/**
 * Reads the `trustedProxies` setting.
 * @throws TypeError naming the entry that is neither an address, a network nor a known name.
 */
export function trustedProxies(entries: readonly string[]): IsTrusted {
  if (entries.length === 0) return () => false;
  const networks = new BlockList();
  for (const entry of entries.flatMap((name) => named[name] ?? [name])) addNetwork(networks, entry);
  return (address) => {
    const version = isIP(address);
    return version !== 0 && networks.check(address, version === 6 ? "ipv6" : "ipv4");
  };
}

function addNetwork(networks: BlockList, entry: string): void {
  const [address = "", bits, ...rest] = entry.split("/");
  const version = isIP(address);
  const widest = version === 6 ? 128 : 32;
  const prefix = bits === undefined ? widest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (version === 0 || rest.length > 0 || prefix < 0 || prefix > widest) {
    throw new TypeError(
      `"${entry}" in the trusted proxies is not an address, a network such as 10.0.0.0/8, or a name.`,
    );
  }
  networks.addSubnet(address, prefix, version === 6 ? "ipv6" : "ipv4");
}

/**
 * The caller's address: the socket's peer, or, when that is a trusted proxy, the rightmost hop of `X-Forwarded-For` that is
 * not one. Each trusted proxy appends whom it heard from, so what stands further left was written by the caller and proves
 * nothing (threat A13). A hop that is no address ends the walk at the last proxy that is known.
 *
 * `Forwarded` (RFC 7239) and `X-Real-IP` are not read: a proxy that sets one passes the other through as the caller sent it.
 */
export function callerAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  isTrusted: IsTrusted,
): string {
  let caller = canonicalAddress(peer ?? "") ?? "unknown";
  if (forwardedFor === undefined || caller === "unknown" || !isTrusted(caller)) return caller;
  const hops = forwardedFor.split(",");
  for (let i = hops.length - 1; i >= Math.max(0, hops.length - hopsLimit); i--) {
    const hop = canonicalAddress(hops[i]!.trim());
    if (hop === null) return caller;
    caller = hop;
    if (!isTrusted(hop)) return hop;
  }
  return caller;
}

/**
 * One spelling per address: no port, no zone, no brackets, lower case, and IPv4 even when IPv6 carries it
 * (`::ffff:192.0.2.1`), so that limits by address cannot be dodged by spelling. `null` when it is none.
 */
export function canonicalAddress(text: string): string | null {
  const bare =
    /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ??
    (/^[\d.]+:\d{1,5}$/.test(text) ? text.slice(0, text.indexOf(":")) : text);
  const version = isIP(bare);
  if (version === 4) return bare;
  if (version === 0) return null;
  const zoneless = bare.split("%", 1)[0]!.toLowerCase();
  const canonical = isCanonical(zoneless) ? zoneless : new URL(`http://[${zoneless}]`).hostname.slice(1, -1);
  return mappedIpv4(canonical) ?? canonical;
}

const isCanonical = (address: string) => address === "::1";

/** The WHATWG URL serialiser writes mapped addresses in hexadecimal: `::ffff:c000:201`. */
function mappedIpv4(address: string): string | null {
  const match = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address);
  if (match === null) return null;
  const [high, low] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
