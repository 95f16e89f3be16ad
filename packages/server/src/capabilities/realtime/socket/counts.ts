import { networkOf } from "../../../kernel/network.ts";
import { problems } from "./problems.ts";

/** How many websockets are open: in all, and by network. */
export class Counts {
  readonly #limit: number;
  readonly #limitPerAddress: number;
  readonly #byNetwork = new Map<string, number>();
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
    const network = networkOf(address);
    const count = this.#byNetwork.get(network) ?? 0;
    if (count >= this.#limitPerAddress) throw problems.tooManyOfAddress();
    if (this.#total >= this.#limit) throw problems.tooMany();
    this.#byNetwork.set(network, count + 1);
    this.#total += 1;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#total -= 1;
      const left = this.#byNetwork.get(network)! - 1;
      if (left === 0) this.#byNetwork.delete(network);
      else this.#byNetwork.set(network, left);
    };
  }
}
