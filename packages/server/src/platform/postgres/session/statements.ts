/** A statement this connection has prepared, or is about to. */
export interface Prepared {
  readonly name: string;
  readonly text: string;
  readonly role: string;
  stamp: number;
}

/**
 * What one connection has prepared, by text and role. One name per role: a plan made under one role's policies must never
 * serve another (CVE-2023-2455), and a plan that alternates between roles would be made anew each time.
 *
 * Two maps instead of one joined key: the text is the same string object in every request of a shape, so looking it up
 * compares pointers, while a joined key would have to be built and hashed.
 */
export class StatementCache {
  readonly #capacity: number;
  readonly #byText = new Map<string, Map<string, Prepared>>();
  #size = 0;
  #clock = 0;
  #serial = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  find(text: string, role: string): Prepared | undefined {
    const prepared = this.#byText.get(text)?.get(role);
    if (prepared !== undefined) prepared.stamp = ++this.#clock;
    return prepared;
  }

  add(text: string, role: string): Prepared {
    const prepared: Prepared = { name: `s${++this.#serial}`, text, role, stamp: ++this.#clock };
    const roles = this.#byText.get(text);
    if (roles) roles.set(role, prepared);
    else this.#byText.set(text, new Map([[role, prepared]]));
    this.#size++;
    return prepared;
  }

  remove(prepared: Prepared): void {
    const roles = this.#byText.get(prepared.text);
    if (roles?.get(prepared.role) !== prepared) return;
    roles.delete(prepared.role);
    if (roles.size === 0) this.#byText.delete(prepared.text);
    this.#size--;
  }

  /** Takes out what was used longest ago when there are too many. The caller closes it on the server. */
  evict(): Prepared | null {
    if (this.#size <= this.#capacity) return null;
    let oldest: Prepared | null = null;
    for (const roles of this.#byText.values()) {
      for (const prepared of roles.values()) if (oldest === null || prepared.stamp < oldest.stamp) oldest = prepared;
    }
    if (oldest) this.remove(oldest);
    return oldest;
  }
}
