import type { Principal } from "../../kernel/principal.ts";
import type { EndReason } from "../identity/types.ts";
import type { News } from "./ended.ts";

/** Told why it is over. Must not throw and must not wait. */
export type OnEnd = (reason: EndReason) => void;

interface Watcher {
  readonly principal: Principal;
  readonly onEnd: OnEnd;
}

/** Whoever holds something open for a caller, found by the caller's session and user. */
export class Watchers {
  readonly #bySession = new Map<string, Set<Watcher>>();
  readonly #byUser = new Map<string, Set<Watcher>>();

  add(principal: Principal, onEnd: OnEnd): () => void {
    const watcher: Watcher = { principal, onEnd };
    const { session_id: session } = principal.claims;
    const places = [
      ...(typeof session === "string" ? [[this.#bySession, session] as const] : []),
      ...(principal.subject === null ? [] : [[this.#byUser, principal.subject] as const]),
    ];
    for (const [index, id] of places) index.set(id, (index.get(id) ?? new Set()).add(watcher));
    return () => {
      for (const [index, id] of places) {
        const set = index.get(id);
        set?.delete(watcher);
        if (set?.size === 0) index.delete(id);
      }
    };
  }

  /** Tells those it is over for. Each is told once: it goes with the telling. */
  tell({ sessionIds, userIds }: News, reasonOf: (principal: Principal) => EndReason | null): void {
    for (const [index, ids] of [
      [this.#bySession, sessionIds],
      [this.#byUser, userIds],
    ] as const) {
      for (const id of ids) for (const watcher of [...(index.get(id) ?? [])]) this.#end(watcher, reasonOf);
    }
  }

  /** Tells everybody who is there by a user's token. */
  tellAll(reason: EndReason): void {
    const all = new Set([...this.#byUser.values(), ...this.#bySession.values()].flatMap((set) => [...set]));
    for (const watcher of all) this.#end(watcher, () => reason);
  }

  #end(watcher: Watcher, reasonOf: (principal: Principal) => EndReason | null): void {
    const reason = reasonOf(watcher.principal);
    if (reason === null) return;
    for (const set of [
      this.#bySession.get(String(watcher.principal.claims.session_id)),
      this.#byUser.get(watcher.principal.subject ?? ""),
    ]) {
      set?.delete(watcher);
    }
    watcher.onEnd(reason);
  }
}
