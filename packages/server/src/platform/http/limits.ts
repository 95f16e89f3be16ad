import { problems } from "./problems.ts";

export interface HeadLimits {
  readonly urlLimitBytes: number;
  readonly headersLimitCount: number;
}

/** Refuses a target and headers that are too long, too many, or could be read in two ways. `rawHeaders`: name, value, name, value … */
export function limitHead(url: string, rawHeaders: readonly string[], limits: HeadLimits): void {
  if (url.length > limits.urlLimitBytes) throw problems.urlTooLong(limits.urlLimitBytes);
  if (url.includes("#")) throw problems.malformedUrl();
  if (rawHeaders.length > limits.headersLimitCount * 2) throw problems.headersTooLarge();
  refuseRepeatedHeaders(rawHeaders);
}

/**
 * Node keeps the first of these and drops the rest, where a proxy or a web application firewall before us may have read the
 * last (threats X08, B13). By length first: most names are none of them.
 */
function refuseRepeatedHeaders(rawHeaders: readonly string[]): void {
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const bit = bitOf(rawHeaders[i]!);
    if ((seen & bit) !== 0) throw problems.repeatedHeader(rawHeaders[i]!.toLowerCase());
    seen |= bit;
  }
}

function bitOf(name: string): number {
  switch (name.length) {
    case 4:
      return name.toLowerCase() === "host" ? 1 : 0;
    case 12:
      return name.toLowerCase() === "content-type" ? 2 : 0;
    case 13:
      return name.toLowerCase() === "authorization" ? 4 : 0;
    default:
      return 0;
  }
}
