/** What one client says of itself. Replaced whole when it changes. */
export interface Meta {
  /** Chosen by the client; several clients may share one. */
  readonly key: string;
  /** New with every change, and different from every other: clients tell metas apart by it (`phx_ref`). */
  readonly ref: string;
  /** JSON text of an object without `phx_ref` and `phx_ref_prev`. */
  readonly fields: string;
}

/** A meta as members have been told. */
interface Shown {
  readonly key: string;
  readonly ref: string;
  /** JSON text. */
  readonly text: string;
}

/**
 * Who is in one room. Members know what was last shown; what has changed since is shown together with the next diff, in which a
 * client that came and went meanwhile does not appear.
 */
export class RoomView {
  /** By instance: one tracking channel of one node. */
  readonly #now = new Map<string, Meta>();
  readonly #shown = new Map<string, Shown>();
  readonly #changed = new Set<string>();
  #state: string | null = null;

  get isEmpty(): boolean {
    return this.#now.size === 0 && this.#shown.size === 0;
  }

  /** `null`: it is gone. */
  set(instance: string, meta: Meta | null): void {
    if (meta === null) this.#now.delete(instance);
    else this.#now.set(instance, meta);
    this.#changed.add(instance);
  }

  /** JSON text of `presence_state`: what members have been told so far, so that the next diff fits to it. */
  state(): string {
    this.#state ??= grouped(this.#shown.values());
    return this.#state;
  }

  /** JSON text of `presence_diff`: what has changed since the last one; `null` for nothing. Counts as shown from now on. */
  diff(): string | null {
    const joins: Shown[] = [];
    const leaves: Shown[] = [];
    for (const instance of this.#changed) {
      const before = this.#shown.get(instance);
      const now = this.#now.get(instance);
      if (before?.ref === now?.ref) continue;
      if (before !== undefined) leaves.push(before);
      if (now === undefined) {
        this.#shown.delete(instance);
        continue;
      }
      const shown = { key: now.key, ref: now.ref, text: textOf(now, before?.ref ?? null) };
      this.#shown.set(instance, shown);
      joins.push(shown);
    }
    this.#changed.clear();
    if (joins.length === 0 && leaves.length === 0) return null;
    this.#state = null;
    return `{"joins":${grouped(joins)},"leaves":${grouped(leaves)}}`;
  }
}

function textOf({ ref, fields }: Meta, previous: string | null): string {
  const prev = previous === null ? "" : `,"phx_ref_prev":${JSON.stringify(previous)}`;
  const rest = fields === "{}" ? "}" : `,${fields.slice(1)}`;
  return `{"phx_ref":${JSON.stringify(ref)}${prev}${rest}`;
}

/** `{"<key>":{"metas":[…]},…}`. Text, not an object: keys are the clients' own, `__proto__` among them. */
function grouped(metas: Iterable<Shown>): string {
  const byKey = new Map<string, string[]>();
  for (const { key, text } of metas) {
    const texts = byKey.get(key);
    if (texts === undefined) byKey.set(key, [text]);
    else texts.push(text);
  }
  const entries = [...byKey].map(([key, texts]) => `${JSON.stringify(key)}:{"metas":[${texts.join(",")}]}`);
  return `{${entries.join(",")}}`;
}
