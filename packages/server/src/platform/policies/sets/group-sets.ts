import type { Principal } from "../../../kernel/principal.ts";
import { sqlStateOf } from "../../postgres/sql-state.ts";
import type { SetContent } from "../evaluate/index.ts";
import type { Secured } from "../rules/rules.ts";
import { KeptSet, type KeptSetNeeds } from "./kept-set.ts";

type Contents = readonly (SetContent | null)[] | null;

/** What the sub-selects of a policy say to one group. */
export interface GroupSets {
  /**
   * By the policy's sets; `null` for one that has too many rows, or is not in a form that can be compared here. `null` for all of them when
   * PostgreSQL refused one: it would refuse the whole SELECT. At once when they are known. Never rejects.
   */
  contents(): Contents | Promise<Contents>;
}

export function groupSets({ compiled, sets }: Secured, who: Principal, needs: KeptSetNeeds): GroupSets {
  const queries = compiled.kind === "beyond" ? [] : compiled.sets;
  const kept = queries.map((query, at) => new KeptSet(query, sets[at]!, who, needs));
  let isRefused = false;
  const refused = (error: unknown): null => {
    // Class 42 is what may not be done or is not there: asked again, it would be refused again. The whole question is put to PostgreSQL
    // instead, and has the same answer.
    isRefused = sqlStateOf(error)?.startsWith("42") ?? false;
    return null;
  };
  return {
    contents() {
      if (isRefused) return null;
      const contents = kept.map((set) => set.content());
      if (contents.every((content) => !(content instanceof Promise))) return contents as Contents;
      return Promise.all(contents).catch(refused);
    },
  };
}
