import { type JobsDatabase, jobsStore, type Membership } from "./store.ts";

export interface MemberNeeds {
  readonly db: Pick<JobsDatabase, "query" | "background">;
  /** This process. */
  readonly nodeId: string;
  readonly leaseMs: number;
  /** Whether this node has claims: one that has none need not say that it lives. */
  readonly hasClaims: () => boolean;
  /** What it has may be another's by now. `isSure`: it is, since it was called gone. */
  readonly onLost: (isSure: boolean) => void;
}

/**
 * Under which number this node has its claims, and until when. Time here is monotonic and the lease's is PostgreSQL's: clocks of machines do
 * not matter (threat X18). The node takes its lease for shorter than it is.
 */
export class Member {
  readonly #needs: MemberNeeds;
  #membership: Membership | null = null;
  /** A statement may have claimed something that nobody here knows of, or the lease was over: first it has to begin anew. */
  #isDoubtful = false;
  #leaseEndsMs = 0;
  #timer: NodeJS.Timeout | null = null;
  #isRenewing = false;

  constructor(needs: MemberNeeds) {
    this.#needs = needs;
  }

  get number(): number | null {
    return this.#membership?.number ?? null;
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), this.#needs.leaseMs / 3);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Joins, or begins anew, if need be. Rejects when PostgreSQL is away. @param known the jobs that this node knows to have */
  async ready(known: () => readonly string[]): Promise<Membership> {
    const { db, nodeId } = this.#needs;
    if (this.#membership !== null && this.#isDoubtful) {
      const again = await jobsStore.beginAnew(db, this.#membership, known());
      if (again === null) this.gone();
      else {
        this.#membership = again;
        this.#isDoubtful = false;
      }
    }
    if (this.#membership === null) {
      this.#membership = await jobsStore.join(db, nodeId);
      this.#isDoubtful = false;
    }
    return this.#membership;
  }

  /** A turn that began then has succeeded: it leaves at least half a lease. */
  turned(beganAtMs: number): void {
    this.#leaseEndsMs = Math.max(this.#leaseEndsMs, beganAtMs + this.#needs.leaseMs / 2);
  }

  /** It is not known what became of a statement. */
  doubt(): void {
    this.#isDoubtful = true;
  }

  /** Others have called this node gone: what it had is theirs. */
  gone(): void {
    this.#membership = null;
    this.#isDoubtful = false;
    this.#needs.onLost(true);
  }

  /** Says goodbye. */
  async leave(): Promise<void> {
    const number = this.number;
    this.#membership = null;
    if (number !== null) await jobsStore.leave(this.#needs.db, number);
  }

  #beat(): void {
    const { hasClaims, leaseMs, onLost } = this.#needs;
    if (this.#membership === null || !hasClaims()) return;
    if (performance.now() >= this.#leaseEndsMs && !this.#isDoubtful) {
      this.#isDoubtful = true;
      onLost(false);
    }
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    void this.#renew(this.#membership, leaseMs).finally(() => {
      this.#isRenewing = false;
    });
  }

  async #renew(membership: Membership, leaseMs: number): Promise<void> {
    const beganAtMs = performance.now();
    try {
      const isKnown = await jobsStore.renew(this.#needs.db.background, membership, leaseMs);
      if (this.#membership?.number !== membership.number) return;
      if (isKnown) this.#leaseEndsMs = Math.max(this.#leaseEndsMs, beganAtMs + leaseMs);
      else this.gone();
    } catch {
      // PostgreSQL is away, which others tell. Should it be away for too long, the lease is over.
    }
  }
}
