import { Problem } from "../../kernel/problem.ts";
import type { Reply } from "../../kernel/route.ts";
import { problemJson } from "./boundary.ts";
import type { HttpCall } from "./call.ts";
import { problems } from "./problems.ts";
import { sentRequestId } from "./request-id.ts";

/** Answers the request, throws a Problem that does, or returns nothing and lets it go on. */
export type Stage = (call: HttpCall) => Reply | Promise<Reply> | undefined;

/** What every request passes, in this order. The deadline runs from before the first. */
export const pipeline: readonly Stage[] = [nameIt, answerPreflight, limitIt, identifyIt, routeIt];

/** Runs the stages until one answers. Stays synchronous as long as they do. */
export function run(call: HttpCall): Reply | Promise<Reply> {
  for (let i = 0; i < pipeline.length; i++) {
    const reply = pipeline[i]!(call);
    if (reply !== undefined) return reply;
  }
  throw new Error("the last stage always answers");
}

/** The reply for anything thrown: a Problem in its boundary's shape; whatever else is our bug, reported whole, shown as `internal`. */
export function replyTo(thrown: unknown, call: HttpCall): Reply {
  const { boundary } = call.target.group;
  try {
    if (thrown instanceof Problem) return boundary.render(thrown, call);
    call.platform.observe({ kind: "request.failed", id: call.id, error: thrown });
    return boundary.render(problems.internal(thrown), call);
  } catch (error) {
    call.platform.observe({ kind: "request.failed", id: call.id, error });
    return problemJson.render(problems.internal(error), call);
  }
}

function nameIt(call: HttpCall): undefined {
  const { platform } = call;
  const sent =
    call.headers["x-request-id"] === undefined
      ? null
      : sentRequestId(call.headers, () => platform.isTrusted(call.request.socket.remoteAddress ?? ""));
  call.id = sent ?? platform.nextRequestId();
}

/** Before limits and identity: a page must be able to read their refusals, and a preflight carries no key. */
function answerPreflight(call: HttpCall): Reply | undefined {
  const { origin } = call.headers;
  if (origin === undefined) return undefined;
  const preflight = call.target.cors.preflight(call.method, call.headers);
  if (preflight !== null) return preflight;
  call.corsHeaders = call.target.cors.headersFor(origin);
  return undefined;
}

function limitIt(call: HttpCall): undefined {
  const { platform, request } = call;
  const url = request.url!;
  if (request.httpVersionMajor !== 1) throw problems.malformedRequest(); // HTTP/0.9: a reply without status line or headers
  if (url.length > platform.urlLimitBytes) throw problems.urlTooLong(platform.urlLimitBytes);
  if (url.includes("#")) throw problems.malformedUrl();
  if (request.rawHeaders.length > platform.headersLimitCount * 2) throw problems.headersTooLarge();
  refuseRepeatedHeaders(request.rawHeaders);
  if (call.expectedBytes > call.target.bodyLimitBytes) throw problems.bodyTooLarge(call.target.bodyLimitBytes);
  if (platform.inFlight.count > platform.inFlightLimit) throw problems.busy();
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

/** Roles that count as the service: `supabase_admin` is what GoTrue accepts besides. */
const serviceRoles: ReadonlySet<string> = new Set(["service_role", "supabase_admin"]);

function identifyIt(call: HttpCall): undefined {
  const { identity } = call.platform;
  switch (call.target.route.access) {
    case "open": // settled when somebody asks for `call.who`
      return;
    case "key":
      call.who = identity.identifyKey(call.headers, call.query);
      return;
    case "caller":
      call.who = identity.identify(call.headers, call.query);
      return;
    case "service":
      call.who = identity.identify(call.headers, call.query);
      if (!serviceRoles.has(call.who.role)) throw problems.serviceOnly();
  }
}

function routeIt(call: HttpCall): Reply | Promise<Reply> {
  return call.target.route.handle(call);
}
