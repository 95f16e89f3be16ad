import { join } from "node:path";

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Where a blob is: `<folder>/<2 hex>/<2 hex>/<uuid>`. Two levels keep a million blobs at some sixteen a folder. */
export interface Place {
  readonly path: string;
  readonly folder: string;
  /** 0 to 65535: which of the innermost folders. */
  readonly folderNumber: number;
}

export interface Layout {
  readonly root: string;
  /** What is being written. Nothing here is ever read. */
  readonly writing: string;
  readonly marker: string;
  outer(folderNumber: number): string;
  inner(folderNumber: number): string;
  /** @throws Error for what is no UUID of ours: names of people are never names on disk (threat S01) */
  place(id: string): Place;
}

export function createLayout(root: string): Layout {
  const hex = (byte: number): string => byte.toString(16).padStart(2, "0");
  const outer = (folderNumber: number): string => join(root, hex(folderNumber >> 8));
  const inner = (folderNumber: number): string => join(outer(folderNumber), hex(folderNumber & 0xff));
  return {
    root,
    writing: join(root, ".writing"),
    marker: join(root, ".mainstay-objects"),
    outer,
    inner,
    place(id) {
      if (!isBlobId(id)) throw new Error("A blob is named by a UUID.");
      const folderNumber = Number.parseInt(id.slice(0, 4), 16);
      const folder = inner(folderNumber);
      return { path: join(folder, id), folder, folderNumber };
    },
  };
}

/** Whether a blob of ours can have that name. */
export const isBlobId = (name: string): boolean => uuid.test(name);
