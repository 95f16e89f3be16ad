import { BlockList, isIPv4, isIPv6 } from "node:net";

/** What of IPv4 is not the public internet (IANA IPv4 Special-Purpose Address Registry, RFC 6890), and multicast. */
const notPublic4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const;

/** What of 2000::/3 is not: IETF assignments with Teredo (2001::/32), documentation, 6to4, which carries any IPv4 address. */
const notPublic6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const;

const blocked = new BlockList();
for (const [net, bits] of notPublic4) blocked.addSubnet(net, bits, "ipv4");
for (const [net, bits] of notPublic6) blocked.addSubnet(net, bits, "ipv6");

/** Of IPv6 only this part is given out to the world (RFC 4291 §2.4); what it does not have needs no list. */
const global6 = new BlockList();
global6.addSubnet("2000::", 3, "ipv6");

/**
 * Whether `address` is one of the public internet: not this machine, not the network it stands in, no cloud's metadata (threat
 * X01). An IPv4 address within an IPv6 one (mapped, NAT64) counts as what it stands for.
 * @param address as the resolver gives it: canonical dotted IPv4, or IPv6 without brackets
 */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !blocked.check(address, "ipv4");
  // A zone (`fe80::1%eth0`) names an interface of this machine.
  if (!isIPv6(address) || address.includes("%")) return false;
  const embedded = embedded4(address);
  if (embedded !== null) return isPublicAddress(embedded);
  return global6.check(address, "ipv6") && !blocked.check(address, "ipv6");
}

/** The IPv4 address in `::ffff:0:0/96` (RFC 4291) and `64:ff9b::/96` (RFC 6052). */
export function embedded4(address: string): string | null {
  // The URL parser writes IPv6 in its one short form, dotted tails included.
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, prefix, tail = ""] = /^(::ffff:|64:ff9b::)([0-9a-f:]*)$/.exec(short) ?? [];
  if (prefix === undefined) return null;
  const groups = tail === "" ? [] : tail.split(":");
  if (groups.length > 2) return null;
  const bits = groups.reduce((value, group) => value * 0x1_0000 + Number.parseInt(group, 16), 0);
  return [24, 16, 8, 0].map((shift) => (bits / 2 ** shift) & 0xff).join(".");
}
