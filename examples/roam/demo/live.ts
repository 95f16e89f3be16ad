import type { RealtimeChannel, SupabaseClient } from "@supabase/supabase-js";
import { check } from "./say.ts";

/** Longer than anything here takes, and short enough for somebody who watches. */
const patienceMs = 10_000;

export interface RowsWanted {
  readonly event: "INSERT" | "UPDATE" | "DELETE";
  readonly table: string;
  /** `column=eq.value` */
  readonly filter?: string;
}

/** Changes of rows as they come in. */
export interface Rows<R> {
  /** Waits for the first that fits, of those that have come and those that come. @throws Error when none does in time */
  first(fits: (row: R) => boolean, what: string): Promise<R>;
  /** All that have come so far. */
  readonly seen: readonly R[];
}

/** Listens for rows; resolves when nothing is missed from now on. */
export async function listen<R extends object>(roam: SupabaseClient, wanted: RowsWanted): Promise<Rows<R>> {
  const seen: R[] = [];
  let look = (): void => {};
  const channel = roam.channel(`${wanted.event} ${wanted.table} ${wanted.filter ?? ""}`);
  await inTime(`changes of ${wanted.table}`, (resolve, reject) => {
    channel
      // One overload per event: the library has none for a union of them.
      .on("postgres_changes", { ...wanted, event: wanted.event as "INSERT", schema: "public" }, (change) => {
        seen.push((wanted.event === "DELETE" ? change.old : change.new) as R);
        look();
      })
      .on("system", {}, ({ extension, status, message }: { extension: string; status: string; message: string }) => {
        if (extension !== "postgres_changes") return;
        if (status === "ok") resolve();
        else reject(new Error(message));
      })
      .subscribe();
  });
  return {
    seen,
    first: (fits, what) =>
      inTime(what, (resolve) => {
        look = () => {
          const found = seen.find(fits);
          if (found !== undefined) resolve(found);
        };
        look();
      }),
  };
}

/** A private channel that one is on. */
export interface Room {
  readonly channel: RealtimeChannel;
  /** Waits until all of these are here. @param keys what they joined with @throws Error when they are not in time */
  whenHere(keys: readonly string[]): Promise<void>;
  /** Waits for the first broadcast of this name. @throws Error when none comes in time */
  heard<P>(event: string): Promise<P>;
}

/** Joins a private channel and says that one is here. @returns a text when it is refused: why */
export async function join(roam: SupabaseClient, name: string, key: string): Promise<Room | string> {
  const channel = roam.channel(name, { config: { private: true, presence: { key } } });
  const broadcasts = new Map<string, unknown>();
  let look = (): void => {};
  const refusal = await inTime<string | null>(`an answer about ${name}`, (resolve) => {
    channel
      .on("presence", { event: "sync" }, () => look())
      .on("broadcast", { event: "*" }, ({ event, payload }) => {
        broadcasts.set(event, payload);
        look();
      })
      .subscribe((status, error) => {
        if (status === "SUBSCRIBED") resolve(null);
        if (status === "CHANNEL_ERROR") resolve(error?.message ?? "no reason was given");
      });
  });
  if (refusal !== null) {
    await roam.removeChannel(channel);
    return refusal;
  }
  check((await channel.track({})) === "ok", `${name} should take that one is here`);
  const when = <T>(what: string, found: () => T | undefined): Promise<T> =>
    inTime(what, (resolve) => {
      look = () => {
        const value = found();
        if (value !== undefined) resolve(value);
      };
      look();
    });
  return {
    channel,
    whenHere: async (keys) => {
      await when(`${keys.length} people on ${name}`, () =>
        keys.every((one) => one in channel.presenceState()) ? true : undefined,
      );
    },
    heard: <P>(event: string) => when(`the broadcast "${event}"`, () => broadcasts.get(event) as P | undefined),
  };
}

/** @throws Error when it is not settled in time */
function inTime<T = void>(
  what: string,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${what} should have come within ${patienceMs / 1_000} s`)),
      patienceMs,
    );
    const settle = <A>(how: (value: A) => void) => {
      return (value: A): void => {
        clearTimeout(timer);
        how(value);
      };
    };
    start(settle(resolve), settle(reject));
  });
}
