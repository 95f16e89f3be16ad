import type { Channel } from "../types.ts";

/**
 * What a channel is told that has missed something which nobody can send it any more: the app reads anew what it shows. A `system` message
 * of status `ok`, because clients take one of status `error` as a reason to join again, and would come back for nothing.
 */
export const missedMessage = "Some messages were missed and cannot be sent again: read anew what is shown.";

export function tellMissed(channel: Channel): void {
  channel.system("system", "ok", missedMessage);
}
