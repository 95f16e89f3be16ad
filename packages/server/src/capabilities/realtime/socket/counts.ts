import { isIPv6 } from "node:net";
import { problems } from "./problems.ts";

/** How many websockets are open: in all, and by whom on the network. */
export class Counts {
  readonly #limit: number;
  readonly #limitPerAddress: number;
  readonly #byParty = new Map<string, number>();
  #total = 0;

  constructor({ limit, limitPerAddress }: { readonly limit: number; readonly limitPerAddress: number }) {
    this.#limit = limit;
    this.#limitPerAddress = limitPerAddress;
  }

  get total(): number {
    return this.#total;
  }

  /** @returns how to give the place back, once @throws Problem when there is none */
  take(address: string): () => void {
    const party = partyOf(address);
    const count = this.#byParty.get(party) ?? 0;
    if (count >= this.#limitPerAddress) throw problems.tooManyOfAddress();
    if (this.#total >= this.#limit) throw problems.tooMany();
    this.#byParty.set(party, count + 1);
    this.#total += 1;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#total -= 1;
      const left = this.#byParty.get(party)! - 1;
      if (left === 0) this.#byParty.delete(party);
      else this.#byParty.set(party, left);
    };
  }
}

/** An IPv4 address, or the /64 of a canonical IPv6 one: any subscriber holds all of that (threat A12). */
export function partyOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail ? tail.split(":") : [];
  const groups = [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
}
