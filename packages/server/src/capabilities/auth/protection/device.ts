import { createHmac, createSecretKey } from "node:crypto";
import { isIPv4, isIPv6 } from "node:net";
import type { Caller } from "../context.ts";

/** What a device is recognised by, and how a person would call it. */
export interface Device {
  /** The same for all versions of one app or browser on one system. */
  readonly family: string;
  /** `Chrome on Windows` */
  readonly label: string;
}

/** What calls itself by several names, by the one that tells; the first that is found counts. */
const browsers: readonly (readonly [RegExp, string])[] = [
  [/\bEdg(?:e|A|iOS)?\//, "Edge"],
  [/\bOPR\/|\bOpera\b/, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bChrome\/|\bCriOS\//, "Chrome"],
  [/\bVersion\/[\d.]+ (?:Mobile\/\w+ )?Safari\//, "Safari"],
  [/\bokhttp\//i, "an Android app"],
  [/\bCFNetwork\//, "an Apple app"],
  [/\bDart\//, "a Flutter app"],
  [/\bktor\b/i, "a Kotlin app"],
];

const systems: readonly (readonly [RegExp, string])[] = [
  [/\biPad\b/, "iPad"],
  [/\biPhone\b|\biOS\b/, "iPhone"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bMac(?:intosh| OS)\b/, "Mac"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bLinux\b/, "Linux"],
];

/** Longest name shown of an app nobody knows, in characters. */
const nameMaxLength = 40;

/** From the `User-Agent` header, which says what it likes: good enough to notice a change, never to trust. */
export function deviceOf(userAgent: string | null): Device {
  const text = userAgent ?? "";
  const system = systems.find(([pattern]) => pattern.test(text))?.[1] ?? "";
  const browser = browsers.find(([pattern]) => pattern.test(text))?.[1] ?? ownName(text);
  const label = system === "" ? browser || "an unknown device" : browser === "" ? system : `${browser} on ${system}`;
  return { family: `${browser}/${system}`, label };
}

/** What stands before the first version. */
const ownName = (text: string): string =>
  /^([A-Za-z][\w .-]*?)(?:\/|$)/.exec(text)?.[1]?.trim().slice(0, nameMaxLength) ?? "";

/**
 * Whose network it is, roughly: the first 16 bits of an IPv4 address, 32 of an IPv6 one. Phones get another address every day, and
 * mostly from the same provider.
 */
export function providerOf(network: string): string {
  if (isIPv4(network)) return network.split(".").slice(0, 2).join(".");
  const bare = network.replace(/\/\d+$/, "");
  return isIPv6(bare) ? bare.split(":").slice(0, 2).join(":") : bare;
}

/** What a device of a user's is known by in the database, in hexadecimal. */
export type DeviceKey = (userId: string, caller: Pick<Caller, "userAgent" | "network">) => string;

/** @param secret Keys are hashed with it */
export function createDeviceKey(secret: Buffer): DeviceKey {
  // Made once: HMAC by bytes would make one each time.
  const key = createSecretKey(secret);
  // With the user's id, so that two people on one device are not to be told from the table.
  return (userId, { userAgent, network }) =>
    createHmac("sha256", key)
      .update(`${userId}\0${deviceOf(userAgent).family}\0${providerOf(network)}`)
      .digest("hex");
}
