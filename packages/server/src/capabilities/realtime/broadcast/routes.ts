import type { Principal } from "../../../kernel/principal.ts";
import { type Call, type CorsPolicy, empty, type Reply, type RouteGroup } from "../../../kernel/route.ts";
import { DatabaseError } from "../../../platform/postgres/session/types.ts";
import { type Extension, rightsStore } from "../channels/rights-store.ts";
import type { RealtimeContext } from "../context.ts";
import { roomOf } from "../rooms.ts";
import { realtimeBoundary } from "./boundary.ts";
import type { BroadcastFeature } from "./feature.ts";
import { persistInQuery, readPersist } from "./persist.ts";
import { broadcastProblems } from "./problems.ts";
import { nameLimitBytes, type PublishedBytes } from "./published.ts";
import { BroadcastRate, callerOf } from "./rate.ts";
import { encodingOf, parseJson, readBatch, readSingle } from "./request-body.ts";

const cors: CorsPolicy = {
  allowMethods: "POST, OPTIONS",
  allowHeaders: "authorization, apikey, content-type, x-client-info",
  exposeHeaders: "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id",
  maxAgeSeconds: 86_400,
};

/** Topics one request asks policies about at the same time. */
const askedAtOnce = 16;

/** Broadcast over HTTP (protocols: HTTP broadcast): for those who are on no channel. */
export function broadcastRoutes(
  context: Pick<RealtimeContext, "session" | "settings">,
  { publish, storing }: Pick<BroadcastFeature, "publish" | "storing">,
): RouteGroup {
  const { session, settings } = context;
  const payloadBytes = settings.realtimeBroadcastPayloadBytes;
  const bodyLimitBytes = settings.realtimeBroadcastBodyBytes;
  const rate = new BroadcastRate({
    caller: settings.realtimeBroadcastCallerPerSecond,
    total: settings.realtimeBroadcastTotalPerSecond,
  });

  /** Whether this caller may broadcast there. */
  async function mayWrite(who: Principal, topic: string, isPrivate: boolean): Promise<boolean> {
    return isPrivate ? may(who, topic, "broadcast") : !settings.realtimePrivateOnly;
  }

  /** Asked of the policies now. */
  async function may(who: Principal, topic: string, extension: Extension): Promise<boolean> {
    try {
      return await rightsStore.mayWrite(session, who, topic, extension);
    } catch (error) {
      // A policy that fails gives no right.
      if (error instanceof DatabaseError) return false;
      throw error;
    }
  }

  /** Those of the topics the caller may not broadcast to are left out without a word (protocols). */
  async function batch(call: Call): Promise<Reply> {
    if (encodingOf(call.headers["content-type"]) !== "json") throw broadcastProblems.unsupportedMediaType();
    const limits = { payloadBytes, messages: settings.realtimeBroadcastBatchMessages };
    const messages = readBatch(parseJson(await call.body()), limits);
    rate.take(callerOf(call), Math.max(1, messages.length));
    const rooms = new Map(
      messages.map(({ topic, isPrivate }) => [roomOf(topic, isPrivate), { topic, isPrivate, isAllowed: false }]),
    );
    const unasked = [...rooms.values()];
    const ask = async (): Promise<void> => {
      for (let room = unasked.pop(); room !== undefined; room = unasked.pop()) {
        room.isAllowed = await mayWrite(call.who, room.topic, room.isPrivate);
      }
    };
    await Promise.all(Array.from({ length: Math.min(askedAtOnce, unasked.length) }, ask));
    for (const { topic, isPrivate, payload } of messages) {
      const room = roomOf(topic, isPrivate);
      if (rooms.get(room)?.isAllowed === true) publish({ form: "text", room, payload });
    }
    return empty(202);
  }

  async function single(call: Call): Promise<Reply> {
    const { topic = "", event = "" } = call.params;
    const query = new URLSearchParams(call.query);
    const isPrivate = query.get("private") === "true";
    const persist = readPersist(persistInQuery(query), storing.mostSeconds);
    if (persist !== null && !isPrivate) throw broadcastProblems.persistPublic();
    refuseLongNames({ topic, event });
    encodingOf(call.headers["content-type"]);
    const { encoding, payload } = readSingle(call.headers["content-type"], await call.body(), payloadBytes);
    rate.take(callerOf(call), 1);
    const room = roomOf(topic, isPrivate);
    const published: PublishedBytes = { form: "bytes", room, event, encoding, metadata: "", payload };
    const { who } = call;
    if (persist === null) {
      if (!(await mayWrite(who, topic, isPrivate))) throw broadcastProblems.notAllowed();
      publish(published);
    } else {
      await storing.store({
        name: topic,
        who,
        from: null,
        published,
        persist,
        mayWrite: () => may(who, topic, "broadcast"),
        mayStore: () => may(who, topic, "persistence"),
      });
    }
    return empty(202);
  }

  return {
    mount: "/realtime/v1",
    boundary: realtimeBoundary,
    cors,
    routes: [
      {
        method: "POST",
        path: "/api/broadcast",
        access: "caller",
        summary: "Broadcasts messages to any number of channels.",
        bodyLimitBytes,
        handle: batch,
      },
      {
        method: "POST",
        path: "/api/broadcast/:topic/events/:event",
        access: "caller",
        summary: "Broadcasts one message, JSON or bytes, to a channel.",
        bodyLimitBytes,
        handle: single,
      },
    ],
  };
}

/** @throws Problem 422 */
function refuseLongNames(names: Readonly<Record<string, string>>): void {
  const errors = Object.entries(names).flatMap(([field, name]) => {
    if (name === "") return [[field, ["can't be blank"]]];
    const isLong = Buffer.byteLength(name) > nameLimitBytes;
    return isLong ? [[field, [`should be at most ${nameLimitBytes} byte(s)`]]] : [];
  });
  if (errors.length > 0) throw broadcastProblems.invalid(Object.fromEntries(errors));
}
