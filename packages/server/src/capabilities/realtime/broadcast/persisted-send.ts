import { Problem } from "../../../kernel/problem.ts";
import type { Channel, Incoming, UserBroadcast } from "../types.ts";
import { isAsked, persistOf, readPersist } from "./persist.ts";
import { broadcastProblems } from "./problems.ts";
import type { Storing } from "./storing.ts";

/** A frame that asks for being stored. */
export type PersistedIncoming = Incoming & { readonly broadcast: UserBroadcast };

/**
 * Whether it is. Only a frame has a place for it: in a text message the word would go to all receivers, so there it means nothing (as with
 * Supabase's server; its clients do not write it there).
 */
export const isPersisted = (message: Incoming): message is PersistedIncoming =>
  message.broadcast !== null && isAsked(persistOf(message.broadcast.metadata));

/** Stores and delivers it. With ack it is answered once it is committed: `{id}`, or `{error, reason}` when it went to nobody. */
export async function sendPersisted(storing: Storing, channel: Channel, message: PersistedIncoming): Promise<void> {
  const { ack } = channel.config.broadcast;
  try {
    const id = await store(storing, channel, message.broadcast);
    if (ack) channel.reply(message.ref, "ok", { id });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (ack) channel.reply(message.ref, "error", { error: wireCodeOf(error), reason: error.message });
  }
}

function store(storing: Storing, channel: Channel, broadcast: UserBroadcast): Promise<string> {
  if (!channel.config.isPrivate) throw broadcastProblems.persistPublic();
  const persist = readPersist(persistOf(broadcast.metadata), storing.mostSeconds);
  if (persist === null) throw broadcastProblems.persistInvalid(storing.mostSeconds);
  const { event, encoding, payload } = broadcast;
  return storing.store({
    name: channel.name,
    who: channel.who,
    from: channel,
    published: { form: "bytes", room: channel.room, event, encoding, metadata: "", payload },
    persist,
    mayWrite: async () => (await channel.rights.writeBroadcast()) && channel.isOpen,
    mayStore: async () => (await channel.rights.storeBroadcast()) && channel.isOpen,
  });
}

/** What `send()` of the client's library resolves with. Codes of Supabase's server where it has one. */
function wireCodeOf({ code }: Problem): string {
  switch (code) {
    case "realtime/broadcast-not-allowed":
      return "unauthorized";
    case "realtime/persist-not-allowed":
      return "persistence_unauthorized";
    case "realtime/persist-invalid":
      return "invalid_persist_ttl";
    case "realtime/persist-public":
      return "persist_on_public_channel";
    case "realtime/persist-too-large":
      return "payload_size_exceeded";
    case "realtime/persist-unstorable":
      return "payload_not_storable";
    case "postgres/unavailable":
    case "postgres/busy":
      return "unable_to_connect_to_project";
    default:
      return "unable_to_persist_message";
  }
}
