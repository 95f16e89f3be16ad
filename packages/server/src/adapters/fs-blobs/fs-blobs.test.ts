import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe } from "vitest";
import { blobStoreContract } from "../../capabilities/storage/blob-store.contract.ts";
import { openFsBlobStore } from "./index.ts";

describe("a folder", () =>
  blobStoreContract(async () => {
    const folder = await mkdtemp(join(tmpdir(), "objects-"));
    return {
      store: await openFsBlobStore({ folder }),
      close: () => rm(folder, { recursive: true }),
      leaveHalf: (id) => writeFile(join(folder, ".writing", `${id}.${randomUUID().slice(0, 8)}`), "half"),
      memoryBytes: 8 * 1024 * 1024,
    };
  }));
