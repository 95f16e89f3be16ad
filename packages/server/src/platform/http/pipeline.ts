import { Problem } from "../../kernel/problem.ts";
import type { Call, Reply } from "../../kernel/route.ts";
import { admit } from "./access.ts";
import { problemJson } from "./boundary.ts";
import type { HttpCall, Platform, Target } from "./call.ts";
import { limitHead } from "./limits.ts";
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
export function replyTo(
  thrown: unknown,
  call: Pick<Call, "id" | "method" | "headers"> & {
    readonly target: Target;
    readonly platform: Pick<Platform, "observe">;
  },
): Reply {
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
  if (call.method === "OPTIONS" && call.target.group.ownsPreflight?.(call.path) === true) return undefined;
  const preflight = call.target.cors.preflight(call.method, call.headers);
  if (preflight !== null) return preflight;
  call.corsHeaders = call.target.cors.headersFor(origin);
  return undefined;
}

function limitIt(call: HttpCall): undefined {
  const { platform, request } = call;
  if (request.httpVersionMajor !== 1) throw problems.malformedRequest(); // HTTP/0.9: a reply without status line or headers
  limitHead(request.url!, request.rawHeaders, platform);
  if (call.expectedBytes > call.target.bodyLimitBytes) throw problems.bodyTooLarge(call.target.bodyLimitBytes);
  if (platform.inFlight.count > platform.inFlightLimit) throw problems.busy();
}

function identifyIt(call: HttpCall): undefined {
  const who = admit(call.target.route.access, call.platform.identity, call.headers, call.query);
  if (who !== null) call.who = who;
}

function routeIt(call: HttpCall): Reply | Promise<Reply> {
  return call.target.route.handle(call);
}
