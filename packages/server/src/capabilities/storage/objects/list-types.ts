export type TimeColumn = "created_at" | "updated_at" | "last_accessed_at";
export type ListColumn = "name" | TimeColumn;

/** One folder's content, page by page with an offset. */
export interface Level {
  readonly bucketId: string;
  /** Ends with a slash, or is empty. */
  readonly folder: string;
  /** What names in it begin with, in whichever case. */
  readonly search: string;
  /** What names are shown without: the folder, or one above it when the search goes down. */
  readonly relativeTo: string;
  readonly column: ListColumn;
  readonly isDescending: boolean;
  readonly offset: number;
  readonly limit: number;
}

/** Names that begin alike, page by page from a place. */
export interface Page {
  readonly bucketId: string;
  readonly prefix: string;
  /** Whether what follows a slash after the prefix is one folder. */
  readonly isLevel: boolean;
  readonly column: ListColumn;
  readonly isDescending: boolean;
  readonly after: ListPlace | null;
  readonly limit: number;
}

/** Where a page ended. */
export interface ListPlace {
  readonly name: string;
  /** When it is sorted by time and this was a file: PostgreSQL's text with microseconds. */
  readonly time: string | null;
}

/** One name of a page. */
export interface Listed {
  /** The whole key; a folder's ends with a slash. */
  readonly name: string;
  /** `null` for a folder. */
  readonly object: ListedObject | null;
  readonly time: string | null;
}

/** As clients know it; times ISO 8601 in UTC. */
export interface ListedObject {
  readonly name: string;
  readonly id: string;
  readonly updated_at: string | null;
  readonly created_at: string | null;
  readonly last_accessed_at: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
}
