import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../../platform/postgres/caller.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";

/** `persistence` is only ever asked about: what is stored has the extension `broadcast`, as Supabase's server does it. */
export type Extension = "broadcast" | "presence" | "persistence";

/** Questions to the policies on `realtime.messages`, each one flight as the caller (migration 0015). */
export const rightsStore = {
  /** What the caller would see on the topic. Rejects with a DatabaseError when a policy fails. */
  async mayRead(
    session: Session,
    who: Principal,
    topic: string,
  ): Promise<Readonly<Record<"broadcast" | "presence", boolean>>> {
    const [row] = await ask(session, who, topic, {
      text: "select broadcast, presence from mainstay.may_read_channel($1)",
      values: [topic],
    });
    return { broadcast: isTrue(row?.[0]), presence: isTrue(row?.[1]) };
  },

  async mayWrite(session: Session, who: Principal, topic: string, extension: Extension): Promise<boolean> {
    const [row] = await ask(session, who, topic, {
      text: "select mainstay.may_write_channel($1, $2)",
      values: [topic, extension],
    });
    return isTrue(row?.[0]);
  },
};

const isTrue = (value: Buffer | null | undefined): boolean => value?.toString() === "t";

async function ask(
  session: Session,
  who: Principal,
  topic: string,
  statement: { readonly text: string; readonly values: readonly string[] },
): Promise<readonly (readonly (Buffer | null)[])[]> {
  const { rows } = await session.fly({
    role: who.role,
    // Policies read headers where they are written for the data API too; a channel has none.
    prologue: asCaller(who, { "realtime.topic": topic, "request.headers": "{}" }),
    statement,
    lane: "read",
    isRetryable: true,
    // A function that a policy calls may write.
    isRolledBack: true,
  });
  return rows;
}
