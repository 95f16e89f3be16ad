import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../kernel/principal.ts";
import { Problem } from "../../kernel/problem.ts";
import type { Call, Reply } from "../../kernel/route.ts";
import { giveTo } from "../identity/given.ts";
import type { Identity } from "../identity/types.ts";
import type { Observe } from "../observe/observation.ts";
import type { BodyMemory } from "./body.ts";
import { isBodyless, isStream, ownHeadersOf } from "./head.ts";
import { InternalCall, type InternalRequest } from "./internal-call.ts";
import { firstThen, type InternalBody } from "./internal-reply.ts";
import { limitHead } from "./limits.ts";
import { replyTo } from "./pipeline.ts";
import { problems } from "./problems.ts";
import type { FindRoute } from "./router.ts";
import { discard } from "./stream.ts";

export type { InternalRequest } from "./internal-call.ts";

export interface InternalReply {
  readonly status: number;
  /** Flat: name, value, name, value … */
  readonly headers: readonly string[];
  /** A stream has given its first bytes, or failed, before the reply is there. */
  readonly body: InternalBody;
}

/** What the server that listens shares with requests that come from within. */
export interface InternalServer {
  readonly find: FindRoute;
  readonly bodyMemory: BodyMemory;
}

/** Requests of this process to its own routes, without a socket. */
export interface Internal {
  /**
   * Answers as HTTP would: the same routes, the same access, limits and error shapes. Nothing is reached that `who` could not reach over a socket.
   * Waits for the server to be open. Rejects only when the request's signal aborts before that.
   * @param who whom it is from, verified before; `null`: whom its own headers name, as over a socket
   */
  call(request: InternalRequest, who: Principal | null): Promise<InternalReply>;
  /** Called once, by the server. */
  attach(server: InternalServer): void;
}

export interface InternalNeeds {
  readonly identity: Identity;
  readonly observe: Observe;
  readonly settings: {
    readonly urlLimitBytes: number;
    readonly headersLimitCount: number;
    readonly requestTimeoutMs: number;
  };
  /** Mounts whose routes make requests of this kind themselves, and how deep these may go. */
  readonly depthLimits: ReadonlyMap<string, number>;
}

export function createInternal(needs: InternalNeeds): Internal {
  const { identity, observe, settings } = needs;
  let server: InternalServer | null = null;
  const attached = Promise.withResolvers<InternalServer>();

  return {
    async call(request, who) {
      const { find, bodyMemory } = server ?? (await within(attached.promise, request.signal));
      const headers = headersIn(request);
      if (who !== null) giveTo(headers, who);
      const found = find(request.method, request.target);
      const call = new InternalCall(request, headers, found, {
        identity,
        observe,
        bodyMemory,
        requestTimeoutMs: settings.requestTimeoutMs,
      });
      try {
        limitHead(request.target, request.headers, settings);
        const most = needs.depthLimits.get(found.target.group.mount);
        if (most !== undefined && call.depth > most) throw problems.tooDeep(most);
        call.admit();
        return await complete(call, await inTime(call, request));
      } catch (error) {
        return await complete(call, replyTo(error, call));
      }
    },
    attach(opened) {
      server = opened;
      attached.resolve(opened);
    },
  };
}

/** How many requests within this process have led to this one; 0 for what came over a socket. */
export const depthOf = (call: Call): number => (call instanceof InternalCall ? call.depth : 0);

/** The route's reply, or its refusal after the deadline that holds over a socket. It does not run while the body is still on its way. */
function inTime(call: InternalCall, request: InternalRequest): Promise<Reply> | Reply {
  const reply = call.target.route.handle(call);
  if (!(reply instanceof Promise) || (request.body !== null && !Buffer.isBuffer(request.body))) return reply;
  const timeoutMs = call.replyTimeoutMs;
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      const problem = problems.deadline(timeoutMs);
      reject(problem);
      call.abort(problem);
    }, timeoutMs);
    reply
      .then((given) => {
        if (isLate && isStream(given.body)) discard(given.body);
        else resolve(given);
      }, reject)
      .finally(() => clearTimeout(timer));
  });
}

/** As it would go over the wire, with what it has to begin with. A failure of a stream before its first bytes is an error reply. */
async function complete(call: InternalCall, reply: Reply): Promise<InternalReply> {
  const isSilent = call.method === "HEAD" || isBodyless(reply.status);
  const headers = ownHeadersOf(call, reply);
  const { body } = reply;
  if (isStream(body)) {
    const stream = await firstThen(body, reply.lengthBytes, {
      isWanted: !isSilent || (call.method === "HEAD" && reply.lengthBytes === undefined),
      onFailure: (error) => {
        if (!(error instanceof Problem)) call.platform.observe({ kind: "request.failed", id: call.id, error });
      },
      onEnd: (isLeft) => {
        if (isLeft) call.abort();
        call.release();
      },
    });
    const lengthBytes = reply.lengthBytes ?? (stream === null && !isSilent ? 0 : undefined);
    if (lengthBytes !== undefined && !isBodyless(reply.status)) headers.push("Content-Length", String(lengthBytes));
    return { status: reply.status, headers, body: isSilent ? null : stream };
  }
  call.release();
  const bytes = body === null ? null : typeof body === "string" ? Buffer.from(body) : body;
  if (!isBodyless(reply.status) && (bytes !== null || call.method !== "HEAD")) {
    headers.push("Content-Length", String(bytes?.length ?? 0));
  }
  return { status: reply.status, headers, body: isSilent || bytes?.length === 0 ? null : bytes };
}

/** Headers that say how bytes were sent, or by which way they came: nothing here was sent. */
const ofTheWay: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-prefix",
  "x-forwarded-proto",
  "x-request-id",
]);

/** As Node would parse them. */
function headersIn({ headers: flat, body }: InternalRequest): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    const value = flat[i + 1]!;
    if (ofTheWay.has(name) || name === "__proto__") continue;
    const before = headers[name];
    if (name === "set-cookie") headers[name] = [...(Array.isArray(before) ? before : []), value];
    else headers[name] = before === undefined ? value : `${String(before)}${name === "cookie" ? "; " : ", "}${value}`;
  }
  if (Buffer.isBuffer(body)) headers["content-length"] = String(body.length);
  else if (body === null || !/^\d{1,15}$/.test(String(headers["content-length"]))) {
    delete headers["content-length"];
    if (body !== null) headers["transfer-encoding"] = "chunked";
  }
  return headers;
}

function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(problems.callerLeft());
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(problems.callerLeft());
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
