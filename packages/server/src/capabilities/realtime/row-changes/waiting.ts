import { JoinRefusal } from "../join-refusal.ts";
import type { Channel } from "../types.ts";
import type { ParsedBindings } from "./bindings.ts";
import type { MissedRows } from "./missed-rows.ts";
import type { Mark } from "./pipeline.ts";
import type { ResolvedBinding } from "./resolve.ts";

/** What keeps a channel from its row changes. */
export interface Trouble {
  readonly message: string;
  /** It may pass by itself. Otherwise only another schema helps. */
  readonly isPassing: boolean;
}

/** A channel that waits for row changes, or would like to. */
export interface Waiting {
  readonly channel: Channel;
  readonly parsed: ParsedBindings;
  /** Number of the first batch that is for it, and what is before that one in the log; `null` until it is subscribed. */
  since: { readonly from: number; readonly mark: Mark } | null;
  resolved: readonly ResolvedBinding[] | null;
  trouble: Trouble | null;
  /** Resolves when it is subscribed, or cannot be, or has left. */
  readonly decided: PromiseWithResolvers<void>;
  /** Subscribing, if that takes a moment. */
  pending: Promise<void> | null;
  /** Grows with every attempt to subscribe: only the last one counts. */
  attempt: number;
  /** Of what it has missed: who it is judged for, and what came of it. */
  missed: MissedRows | null;
}

export const waitingFor = (channel: Channel, parsed: ParsedBindings): Waiting => ({
  channel,
  parsed,
  since: null,
  resolved: null,
  trouble: null,
  decided: Promise.withResolvers(),
  pending: null,
  attempt: 0,
  missed: null,
});

/** In the codes that clients know from where they come from. @throws JoinRefusal */
export function refuseUnlessOn({ resolved, trouble }: Waiting): void {
  if (resolved !== null) return;
  if (trouble?.isPassing === false) throw new JoinRefusal("RealtimeDisabledForConfiguration", trouble.message);
  throw new JoinRefusal("PostgresChangesSubscribeTimeout", trouble?.message ?? "Row changes did not come on in time");
}
