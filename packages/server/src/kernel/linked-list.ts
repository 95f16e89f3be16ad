/** What is in a list. The links are the list's own. */
export interface Linked<T> {
  previous: T | null;
  next: T | null;
  isLinked: boolean;
}

/**
 * A list linked through its members: adding and removing allocate nothing. A `Set` does, and where members come and go all the time it costs more than
 * that: it copies itself every few members, and what a discarded copy points at lives on until the heap is collected as a whole.
 */
export class LinkedList<T extends Linked<T>> {
  count = 0;
  /** The youngest. */
  first: T | null = null;

  /** A member is in one list, once. */
  add(member: T): void {
    member.isLinked = true;
    member.next = this.first;
    if (this.first !== null) this.first.previous = member;
    this.first = member;
    this.count++;
  }

  /** @returns whether it was there */
  remove(member: T): boolean {
    if (!member.isLinked) return false;
    member.isLinked = false;
    if (member.previous === null) this.first = member.next;
    else member.previous.next = member.next;
    if (member.next !== null) member.next.previous = member.previous;
    member.previous = member.next = null;
    this.count--;
    return true;
  }

  /** Those that are there now, and still are when their turn comes: whoever goes through them may remove any. */
  *[Symbol.iterator](): Generator<T> {
    const all: T[] = [];
    for (let member = this.first; member !== null; member = member.next) all.push(member);
    for (const member of all) if (member.isLinked) yield member;
  }
}
