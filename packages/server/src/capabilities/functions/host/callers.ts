import type { Principal } from "../../../kernel/principal.ts";
import type { FrameWriter } from "../channel/frame-writer.ts";
import { frameKind } from "../channel/kinds.ts";
import type { Caller } from "../thread/wire.ts";

/** How many callers a thread remembers. */
const limit = 256;

/** Who has called, as a thread knows them: told once, and by a number afterwards. */
export class Callers {
  readonly #numbers = new Map<Principal, number>();
  readonly #known: (Principal | undefined)[] = [];
  #next = 0;

  /** The number of this caller, whom the thread is told of with `writer` when it does not know them. */
  numberOf(who: Principal, writer: FrameWriter): number {
    const known = this.#numbers.get(who);
    if (known !== undefined) return known;
    const number = this.#next;
    this.#next = (number + 1) % limit;
    const before = this.#known[number];
    if (before !== undefined) this.#numbers.delete(before);
    this.#known[number] = who;
    this.#numbers.set(who, number);
    const caller: Caller = { role: who.role, subject: who.subject, claims: who.claims };
    writer.begin(frameKind.caller, number).text(JSON.stringify(caller)).end();
    return number;
  }
}
