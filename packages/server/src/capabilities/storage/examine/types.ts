export interface BucketFacts {
  readonly id: string;
  readonly isPublic: boolean;
}

/** How storage stands: a look of a moment, not a check of every file. */
export interface StorageExamination {
  readonly buckets: readonly BucketFacts[];
  /** Of `storage.objects`; `null` when there is no such table. */
  readonly rules: { readonly hasRowSecurity: boolean; readonly policies: number } | null;
  readonly hasTriggers: boolean;
  /** Runs of bytes that were looked for in the store, and what is wrong with them: a sentence each. */
  readonly sample: { readonly looked: number; readonly wrong: readonly string[] };
  /** What should have been removed an hour ago. */
  readonly unswept: { readonly uploads: number; readonly blobs: number };
}
