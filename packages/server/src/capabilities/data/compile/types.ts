import type { Lane } from "../../../platform/postgres/session/types.ts";
import type { Explain, Format } from "../format.ts";
import type { CallShape } from "../plan/call.ts";
import type { CountKind, Operand } from "../request.ts";
import type { ParameterSource } from "./sql.ts";

/** A statement's text, and where its parameters come from. */
export interface Template {
  readonly text: string;
  readonly parameters: readonly ParameterSource[];
  /**
   * How the statement answers. `row`: one row of the columns in answer.ts. `elements`: a row for each row of the page, and nothing but
   * its JSON: an aggregate costs more than looking up the one row it would hold. `tag`: no rows, the command tag has the count.
   */
  readonly answers: "row" | "elements" | "tag";
}

/** How the page of an answer is bounded. */
export interface PageRule {
  readonly limit: Operand | null;
  readonly offset: Operand | null;
  readonly maxRows: number | null;
}

/** All that a shape of request needs, made once and kept: the statement, and how its row becomes a reply. */
export interface Compiled extends Template {
  readonly kind: "read" | "write" | "call";
  readonly lane: Lane;
  readonly isReadOnly: boolean;
  /** Undo everything and still answer. */
  readonly rollsBack: boolean;
  readonly format: Format;
  readonly shape: CallShape;
  readonly explain: Explain | null;
  readonly count: CountKind | null;
  /** Asks the planner how many rows there are. */
  readonly estimate: Template | null;
  /** `null` for answers that have no page. */
  readonly page: PageRule | null;
  /** The same answer row by row, where its page may be large. */
  readonly stream: StreamTemplate | null;
  /** Status when the row says nothing else. */
  readonly status: number;
  readonly write: WriteRule | null;
  /** Of a function: what its `SET` clauses ask of the transaction. */
  readonly isolation: string | null;
  readonly hoisted: readonly (readonly [name: string, value: string])[];
  /** Headers that every answer of this shape has: flat name, value. */
  readonly headers: readonly string[];
}

export interface StreamTemplate extends Template {
  /** Before the first row, between rows, after the last. */
  readonly open: string;
  readonly separator: string;
  readonly close: string;
}

export interface WriteRule {
  readonly operation: "insert" | "put" | "update" | "delete";
  readonly hasBody: boolean;
  /** True when an upsert that only updated answers 200. */
  readonly countsInserted: boolean;
  /** Column names of `Location`, in the order their values come in the body column. */
  readonly locationKey: readonly string[] | null;
}
