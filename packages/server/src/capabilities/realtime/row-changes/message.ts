import type { Change, ChangedRelation, RowImage } from "../../../kernel/change.ts";
import { jsonOf } from "../../../platform/changes/json.ts";
import type { Outgoing } from "../types.ts";
import { jsonMessage } from "../wire/index.ts";
import type { Projection } from "./projection.ts";

const types = { insert: "INSERT", update: "UPDATE", delete: "DELETE" } as const;

export type RowChange = Extract<Change, { readonly op: "insert" | "update" | "delete" }>;

/** Values up to here stay in a row that is too large (protocols: visibility, error 413). */
const smallBytes = 64;

/**
 * One change as messages: each value becomes JSON once, a row once per set of columns, and a message once per topic and numbers, however
 * many get it.
 */
export class ChangeMessages {
  readonly #change: RowChange;
  readonly #head: string;
  readonly #recordBytes: number;
  readonly #new: Values;
  readonly #old: Values;
  readonly #data = new Map<Projection, { seen?: string; unseen?: string }>();
  readonly #messages = new Map<string, Map<string, Outgoing>>();

  /** @param committedAtUs Unix microseconds */
  constructor(change: RowChange, committedAtUs: bigint, recordBytes: number) {
    const { relation } = change;
    this.#change = change;
    this.#recordBytes = recordBytes;
    this.#new = new Values(relation, change.new);
    this.#old = new Values(relation, change.old);
    const committedAt = new Date(Number(committedAtUs / 1_000n)).toISOString();
    this.#head = `"schema":${JSON.stringify(relation.schema)},"table":${JSON.stringify(relation.name)},"commit_timestamp":"${committedAt}","type":"${types[change.op]}"`;
  }

  /**
   * @param idsJson numbers of the bindings that match
   * @param isOldSeen whether those who get it could see the row as it was
   */
  of(topic: string, idsJson: string, projection: Projection, isOldSeen: boolean): Outgoing {
    const data = this.#dataOf(projection, isOldSeen);
    const byKey = this.#messages.get(data) ?? new Map<string, Outgoing>();
    this.#messages.set(data, byKey);
    const key = `${idsJson}${topic}`;
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const message = jsonMessage({ topic, event: "postgres_changes", payload: `{"ids":${idsJson},"data":${data}}` });
    byKey.set(key, message);
    return message;
  }

  #dataOf(projection: Projection, isOldSeen: boolean): string {
    const known = this.#data.get(projection) ?? {};
    this.#data.set(projection, known);
    if (isOldSeen) known.seen ??= this.#encode(projection, true);
    else known.unseen ??= this.#encode(projection, false);
    return (isOldSeen ? known.seen : known.unseen)!;
  }

  #encode(projection: Projection, isOldSeen: boolean): string {
    if (projection.rights === "none") {
      return `{${this.#head},"columns":[],"errors":["Error 401: Unauthorized"]}`;
    }
    const { op } = this.#change;
    const head = `${this.#head},"columns":${projection.columnsJson}`;
    const old = op === "insert" ? null : this.#oldPlaces(projection, isOldSeen);
    if (op === "delete" && projection.rights === "row-secured" && old?.length === 0) {
      return `{${head},"old_record":{},"errors":["Error 400: Bad Request, no primary key"]}`;
    }
    const whole = this.#rows(projection, old, Number.POSITIVE_INFINITY);
    if (!isLonger(whole, this.#recordBytes)) return `{${head}${whole},"errors":null}`;
    return `{${head}${this.#rows(projection, old, smallBytes)},"errors":["Error 413: Payload Too Large"]}`;
  }

  #rows(projection: Projection, old: readonly [at: number, values: Values][] | null, valueBytes: number): string {
    const record =
      this.#change.op === "delete"
        ? ""
        : `,"record":${rowOf(
            projection.columns.map((at) => [at, this.#new] as const),
            valueBytes,
          )}`;
    return old === null ? record : `${record},"old_record":${rowOf(old, valueBytes)}`;
  }

  /**
   * Where the old row's values are. Under row level security: the primary key, no more (threat R04), and where the change has moved the
   * row to another key, its former one only for those who could see it there, as far as the log has that row.
   */
  #oldPlaces({ rights, key, old }: Projection, isOldSeen: boolean): readonly [at: number, values: Values][] {
    const isFull = this.#change.relation.replicaIdentity === "full";
    if (rights === "all" && isFull && this.#old.isThere) return old.map((at) => [at, this.#old]);
    return key.flatMap((at): [number, Values][] => {
      const former = this.#old.text(at);
      if (former === undefined) return this.#change.op === "delete" ? [] : [[at, this.#new]];
      return isOldSeen || former === this.#new.text(at) ? [[at, this.#old]] : [];
    });
  }
}

/** The values of an image, each made JSON when first wanted. */
class Values {
  readonly #relation: ChangedRelation;
  readonly #image: RowImage | null;
  readonly #pairs: (string | undefined)[] = [];

  constructor(relation: ChangedRelation, image: RowImage | null) {
    this.#relation = relation;
    this.#image = image;
  }

  get isThere(): boolean {
    return this.#image !== null;
  }

  text(at: number): string | null | undefined {
    return this.#image?.[at];
  }

  /** `"name":value`; `null` when the log does not have it. */
  pair(at: number): string | null {
    const text = this.text(at);
    if (text === undefined) return null;
    const column = this.#relation.columns[at]!;
    this.#pairs[at] ??= `${JSON.stringify(column.name)}:${text === null ? "null" : jsonOf(column, text)}`;
    return this.#pairs[at];
  }
}

function rowOf(places: readonly (readonly [at: number, values: Values])[], valueBytes: number): string {
  const pairs: string[] = [];
  for (const [at, values] of places) {
    const pair = values.pair(at);
    if (pair === null || isLonger(values.text(at) ?? "", valueBytes)) continue;
    pairs.push(pair);
  }
  return `{${pairs.join(",")}}`;
}

/** A text has at most three bytes per unit: most need not be counted. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes);
}
