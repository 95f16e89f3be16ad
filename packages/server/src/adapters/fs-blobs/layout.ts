import { join } from "node:path";
import { readBlobId } from "../blobs/blob-id.ts";

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
      const name = readBlobId(id);
      const folderNumber = Number.parseInt(name.slice(0, 4), 16);
      const folder = inner(folderNumber);
      return { path: join(folder, name), folder, folderNumber };
    },
  };
}
