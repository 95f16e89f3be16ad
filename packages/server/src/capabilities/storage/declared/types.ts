/** A bucket that the project's files name. What is left out is the database's own matter. */
export interface DeclaredBucket {
  readonly id: string;
  readonly isPublic?: boolean;
  /** `null`: no limit of its own. */
  readonly fileSizeLimitBytes?: number | null;
  /** `null`: all. */
  readonly allowedMimeTypes?: readonly string[] | null;
  /** Absolute; the files in it are to be in the bucket, under their paths. `null`: none. */
  readonly folder: string | null;
}

/** What is to be there when a server has started. */
export interface Declared {
  readonly buckets: readonly DeclaredBucket[];
  /**
   * Whether buckets that are there already follow what is said of them, and get the files that they lack. Otherwise they are the database's own: what
   * somebody has changed or deleted in production stays so.
   */
  readonly isKeptUp: boolean;
  /** Told how many files of how many are uploaded. */
  readonly onProgress?: ((text: string, done: number, total: number) => void) | undefined;
}
