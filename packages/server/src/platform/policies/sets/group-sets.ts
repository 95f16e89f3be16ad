import type { SetContent } from "../evaluate/index.ts";

/** What the sub-selects of a policy say to one group. */
export interface GroupSets {
  /**
   * By the policy's sets; `null` for one that has too many rows, or is not in a form that can be compared here. `null` for all of them when
   * PostgreSQL refused one. At once when they are known. Never rejects.
   */
  contents(): readonly (SetContent | null)[] | null | Promise<readonly (SetContent | null)[] | null>;
}
