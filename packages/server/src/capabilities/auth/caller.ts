import { isIP } from "node:net";
import { networkOf } from "../../kernel/network.ts";
import type { Call } from "../../kernel/route.ts";
import type { Caller } from "./context.ts";

/** Longest user agent kept with a session, in characters. */
const userAgentMaxLength = 512;

export function callerOf(call: Call): Caller {
  const ip = call.address.split("%")[0]!;
  return {
    address: call.address,
    network: networkOf(call.address),
    isService: call.who.role === "service_role",
    ip: isIP(ip) === 0 ? null : ip,
    userAgent: call.headers["user-agent"]?.slice(0, userAgentMaxLength) ?? null,
  };
}
