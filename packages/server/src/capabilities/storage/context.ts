import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { ApiKeys, Identity, TokenSigner } from "../../platform/identity/types.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Database } from "../../platform/postgres/database.ts";
import type { Session } from "../../platform/postgres/session/types.ts";
import type { BlobStore, Scanner } from "./ports.ts";
import type { storageSettings } from "./settings.ts";

/** What every part of storage works with. Built once by `createStorage`. */
export interface StorageContext {
  /** For what the server does itself. */
  readonly db: Database;
  /** For what runs as a caller. */
  readonly session: Session;
  readonly identity: Identity;
  readonly signer: TokenSigner;
  /** The keys in force now: S3 clients with a session sign with the public one. */
  readonly apiKeys: () => Pick<ApiKeys, "anonKey" | "publishableKey">;
  readonly blobs: BlobStore;
  /** `null` where nothing scans. */
  readonly scanner: Scanner | null;
  readonly settings: Values<typeof storageSettings>;
  readonly observe: Observe;
  readonly clock: Clock;
  /** The project's own web pages; left out where there are none. */
  readonly siteFolder?: string | null;
  /** What may be made again at any time; left out where nothing is kept on disk. */
  readonly cacheFolder?: string | null;
}
