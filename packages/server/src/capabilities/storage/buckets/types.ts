import type { Bucket } from "../types.ts";

export interface Buckets {
  /** As the server sees it. From memory, where it is known to be as it was (the database tells of changes); `null` when there is none. */
  find(id: string): Promise<Bucket | null>;
}
