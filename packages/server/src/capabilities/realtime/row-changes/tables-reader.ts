import { reasonOf } from "../../../kernel/reason.ts";
import type { PublishedTables } from "../../../platform/changes/filters/published.ts";
import { loadPublished } from "../../../platform/changes/filters/store.ts";
import type { RealtimeContext } from "../context.ts";

/** What apps, and Supabase's console, put tables into. */
const rowsPublication = "supabase_realtime";

export type TablesReaderNeeds = Pick<RealtimeContext, "db" | "policies"> & {
  readonly report: (message: string) => void;
};

/** The tables that are published, with what their policies need: read when first wanted, and again when the schema changes. */
export class TablesReader {
  readonly #needs: TablesReaderNeeds;
  #known: PublishedTables | null = null;
  #loading: Promise<PublishedTables> | null = null;
  /** They are being read again after a change of the schema. Never rejects. */
  #reading: Promise<void> | null = null;

  constructor(needs: TablesReaderNeeds) {
    this.#needs = needs;
  }

  /** They are being read again: what is known is of another schema. */
  get isReading(): boolean {
    return this.#reading !== null;
  }

  /** `null` when they must be waited for. */
  get now(): PublishedTables | null {
    return this.#reading === null ? this.#known : null;
  }

  /** Nobody wants them any more. */
  forget(): void {
    this.#known = null;
  }

  /** Resolves when they are not being read again. */
  async settled(): Promise<void> {
    while (this.#reading !== null) await this.#reading;
  }

  /** Rejects as the database does. */
  async get(): Promise<PublishedTables> {
    return this.#known ?? (await this.#load());
  }

  /**
   * After a change of the schema. Never rejects.
   * @returns whether they are other than before; `null` when another change came meanwhile, whose reading is over then
   */
  async readAgain(): Promise<boolean | null> {
    const comparing = this.#compare();
    const reading = comparing.then(() => {});
    this.#reading = reading;
    const isOther = await comparing;
    if (this.#reading !== reading) {
      await this.#reading;
      return null;
    }
    this.#reading = null;
    return isOther;
  }

  async #compare(): Promise<boolean> {
    const before = this.#known;
    try {
      this.#loading = null;
      const now = await this.#load();
      return before === null || !before.equals(now);
    } catch (error) {
      this.#known = null;
      this.#needs.report(`The publication cannot be read: ${reasonOf(error)}`);
      return true;
    }
  }

  #load(): Promise<PublishedTables> {
    if (this.#loading !== null) return this.#loading;
    const { db, policies } = this.#needs;
    const loading = loadPublished(db, rowsPublication)
      .then(async (published) => {
        await policies.prepare(published.matching(null, null).map(({ relation }) => relation));
        if (this.#loading === loading) this.#known = published;
        return published;
      })
      .finally(() => {
        if (this.#loading === loading) this.#loading = null;
      });
    this.#loading = loading;
    return loading;
  }
}
