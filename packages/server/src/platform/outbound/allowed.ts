import { BlockList, isIP } from "node:net";
import { embedded4, isPublicAddress } from "./public-address.ts";

/** Whether a connection may go to this address, as the resolver gives it: IPv4 with dots, or IPv6 without brackets. */
export type IsAllowedAddress = (address: string) => boolean;

/** An entry that is known by how it is written. */
interface NamedHost {
  readonly name: string;
  /** `*.example.com`: names below it, and not itself. */
  readonly isBelow: boolean;
  /** `null` for any. */
  readonly port: number | null;
}

const names =
  /^(\*\.)?((?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?::(\d{1,5}))?$/;
const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/;
const withPort4 = /^([\d.]+):(\d{1,5})$/;

/** Where code of an app may connect to (threats X01, X23): the public internet, and what the operator has named besides. */
export interface Guard {
  /**
   * What a connection for `url` is held to. All addresses its name stands for are to be asked about, once, and the connection goes to one of them
   * (`checkedLookup`); each redirect is another URL.
   */
  addressesFor(url: URL): IsAllowedAddress;
}

/**
 * Reads a list of hosts that may be called though they are private: `name`, `name:port`, `*.name`, `*.name:port`, an address, `address:port`,
 * `[v6]:port`, or a network (CIDR). A name stands for whatever addresses it has; an address or a network for itself, whatever its name.
 * @throws TypeError naming the entry that is none of these
 */
export function createGuard(entries: readonly string[]): Guard {
  const networks = new BlockList();
  const hosts: NamedHost[] = [];
  for (const entry of entries) {
    const host = readHost(entry);
    if (host !== null) hosts.push(host);
    else addNetwork(networks, entry);
  }
  const byAddress: IsAllowedAddress = (address) => isPublicAddress(address) || isIn(networks, address);
  const everywhere: IsAllowedAddress = () => true;
  return {
    addressesFor(url) {
      if (hosts.length === 0) return byAddress;
      const name = hostNameOf(url);
      const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
      return hosts.some((host) => fits(host, name, port)) ? everywhere : byAddress;
    },
  };
}

/** Lower case, as the URL parser leaves it, without the brackets of IPv6 and the dot that ends a full name. */
function hostNameOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

const fits = ({ name, isBelow, port }: NamedHost, asked: string, askedPort: number): boolean =>
  (port === null || port === askedPort) && (isBelow ? asked.endsWith(`.${name}`) : asked === name);

/** A host that is known by how it is written; `null` for what is an address without a port, or a network. */
function readHost(entry: string): NamedHost | null {
  const text = entry.trim().toLowerCase();
  const [, address, addressPort] = bracketed.exec(text) ?? withPort4.exec(text) ?? [];
  if (address !== undefined && isIP(address) !== 0) {
    if (addressPort === undefined) return null;
    return { name: spelled(address), isBelow: false, port: portOf(addressPort, entry) };
  }
  if (isIP(text) !== 0 || text.includes("/")) return null;
  const [, star, name, port] = names.exec(text) ?? [];
  // A last label of digits is an address to the URL parser: `10.1` is 10.0.0.1.
  if (name === undefined || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name)) throw unreadable(entry);
  return { name, isBelow: star !== undefined, port: port === undefined ? null : portOf(port, entry) };
}

/** As the URL parser spells it. */
const spelled = (address: string): string =>
  isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address;

function portOf(digits: string, entry: string): number {
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw unreadable(entry);
  return port;
}

function addNetwork(networks: BlockList, entry: string): void {
  const [written = "", bits, ...rest] = entry.trim().split("/");
  const address = bracketed.exec(written)?.[1] ?? written;
  const version = isIP(address);
  const widest = version === 6 ? 128 : 32;
  const prefix = bits === undefined ? widest : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (version === 0 || rest.length > 0 || prefix < 0 || prefix > widest) throw unreadable(entry);
  networks.addSubnet(address, prefix, version === 6 ? "ipv6" : "ipv4");
}

function isIn(networks: BlockList, address: string): boolean {
  const version = isIP(address);
  if (version === 0 || address.includes("%")) return false;
  if (version === 4) return networks.check(address, "ipv4");
  const inner = embedded4(address);
  return inner === null ? networks.check(address, "ipv6") : networks.check(inner, "ipv4");
}

const unreadable = (entry: string): TypeError =>
  new TypeError(
    `"${entry}" is no host that could be allowed: write a name, \`*.name\`, an address or a network such as 10.0.0.0/8, with or without a port.`,
  );
