import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { RealtimeContext } from "../context.ts";
import { JoinRefusal } from "../join-refusal.ts";
import { roomOf } from "../rooms.ts";
import type { ChannelConfig, Incoming, Socket } from "../types.ts";
import { parseConfig } from "./config.ts";
import { tokenExpired, tokenOf, whoseToken } from "./token.ts";

export const topicPrefix = "realtime:";

/** A join that nothing speaks against so far. */
export interface Admission {
  readonly name: string;
  readonly config: ChannelConfig;
  readonly token: string | null;
  readonly who: Principal;
}

export type AdmissionNeeds = Pick<RealtimeContext, "identity" | "rooms" | "settings" | "clock">;

/** What a join asks for, and whether it may be asked at all: everything that is known without PostgreSQL. @throws JoinRefusal */
export function admit(
  { identity, rooms, settings, clock }: AdmissionNeeds,
  socket: Socket,
  message: Incoming,
): Admission {
  const { topic, payload } = message;
  const name = topic.slice(topicPrefix.length);
  if (name === "") throw new JoinRefusal("TopicNameRequired", "You must provide a topic name");
  // PostgreSQL's text has neither, and another name than the one that is joined must not be what it is asked about.
  if (name.includes("\0") || !name.isWellFormed()) {
    throw new JoinRefusal("InvalidJoinPayload", "The topic name is not valid text");
  }
  if (Buffer.byteLength(topic) > settings.realtimeTopicMaxBytes) {
    throw new JoinRefusal(
      "InvalidJoinPayload",
      `A topic takes ${settings.realtimeTopicMaxBytes} bytes at most, with ${topicPrefix}`,
    );
  }
  if (bytesOf(payload) > settings.realtimeJoinMaxBytes) {
    throw new JoinRefusal("InvalidJoinPayload", `A join takes ${settings.realtimeJoinMaxBytes} bytes at most`);
  }
  const token = tokenOf(payload);
  const who = token === null ? socket.key : whoseToken(identity, token);
  if (who.expiresAtMs <= clock.nowMs()) throw new JoinRefusal("InvalidJWTToken", tokenExpired);
  const config = parseConfig(payload);
  if (!config.isPrivate && settings.realtimePrivateOnly) {
    throw new JoinRefusal("PrivateOnly", "This project only allows private channels");
  }
  if (rooms.size >= settings.realtimeMaxRooms && rooms.members(roomOf(name, config.isPrivate)).size === 0) {
    throw new JoinRefusal("ChannelRateLimitReached", "Too many channels on this server");
  }
  return { name, config, token, who };
}

const bytesOf = (payload: unknown): number =>
  payload instanceof Uint8Array ? payload.length : Buffer.byteLength(JSON.stringify(payload) ?? "");

/** What a failed join says; `null` when the failure is a bug of ours, to be reported and not shown. */
export function refusalOf(error: unknown): JoinRefusal | null {
  if (error instanceof JoinRefusal) return error;
  if (!(error instanceof Problem)) return null;
  switch (error.code) {
    case "postgres/busy":
      return new JoinRefusal("DatabaseLackOfConnections", "Too many requests are waiting for the database");
    case "postgres/unavailable":
      return new JoinRefusal("UnableToConnectToProject", "The database is not available, try again in a moment");
    default:
      return null;
  }
}
