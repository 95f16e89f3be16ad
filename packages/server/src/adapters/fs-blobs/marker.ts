import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { problems } from "../../capabilities/storage/problems.ts";
import { reasonOf } from "../../kernel/reason.ts";
import { SettingError } from "../../kernel/settings.ts";
import { codeOf } from "./failure.ts";
import { folderMode, syncFolder } from "./folders.ts";
import type { Layout } from "./layout.ts";

/**
 * Says whose folder it is. A volume that is not mounted looks like an empty folder, and one that is mounted in the wrong place like another's: what is
 * written there is hidden later, and what is asked for seems never to have been.
 */
export interface Marker {
  readonly storeId: string;
  /** @throws Problem `storage/store-unavailable` when the folder is not, or no longer, the one that was opened */
  check(): Promise<void>;
}

interface MarkerText {
  readonly format: 1;
  readonly storeId: string;
}

/**
 * Opens the folder, making it when it is not there. `mayBeNew` is asked before a folder without a marker is taken for a new one. A marker
 * that is an empty file is somebody's word that it may.
 * @throws SettingError in words for whoever runs the server
 */
export async function openMarker(layout: Layout, mayBeNew: () => Promise<boolean>): Promise<Marker> {
  try {
    const text = await readFile(layout.marker, "utf8").catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    });
    const isNew = text === null || text.trim() === "";
    const storeId = isNew ? await begin(layout, mayBeNew, text !== null) : idOf(text, layout);
    await mkdir(layout.writing, { recursive: true, mode: folderMode });
    await syncFolder(layout.root);
    return { storeId, check: checkOf(layout, storeId) };
  } catch (error) {
    if (codeOf(error) === null) throw error;
    throw new SettingError(`The folder of files cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

async function begin(layout: Layout, mayBeNew: () => Promise<boolean>, isAllowed: boolean): Promise<string> {
  if (!isAllowed && !(await mayBeNew())) {
    throw new SettingError(
      `The database has files, and their folder ${layout.root} is not there or was never used. Mount it, or set MAINSTAY_STORAGE_FOLDER. ` +
        `If the files are lost or will be put there later, make an empty file ${layout.marker}.`,
    );
  }
  await mkdir(layout.root, { recursive: true, mode: folderMode });
  const others = (await readdir(layout.root)).filter((name) => !/^[0-9a-f]{2}$/.test(name) && !known.has(name));
  if (others.length > 0 && !isAllowed) {
    throw new SettingError(`${layout.root} has other files (${others[0]}): files of apps need a folder of their own.`);
  }
  const storeId = randomUUID();
  // An empty marker is somebody's word; otherwise a second node that begins at the same time is to find this one's.
  const file = await open(layout.marker, isAllowed ? "w" : "wx", 0o600).catch((error: unknown) => {
    if (codeOf(error) === "EEXIST") return null;
    throw error;
  });
  if (file === null) return othersId(layout);
  try {
    await file.writeFile(`${JSON.stringify({ format: 1, storeId } satisfies MarkerText)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return storeId;
}

/** What another node is writing right now, in one call of the system. */
async function othersId(layout: Layout): Promise<string> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const text = await readFile(layout.marker, "utf8");
    if (text !== "") return idOf(text, layout);
    await setTimeout(20);
  }
  throw new SettingError(`${layout.marker} is empty.`);
}

/** What a folder of a store, or of a whole disk, has besides blobs. */
const known: ReadonlySet<string> = new Set([".writing", ".mainstay-objects", "lost+found"]);

function idOf(text: string, layout: Layout): string {
  const value = parsed(text);
  if (value?.format !== 1 || typeof value.storeId !== "string") {
    throw new SettingError(`${layout.marker} was not written by this version, or is damaged.`);
  }
  return value.storeId;
}

function parsed(text: string): Partial<MarkerText> | null {
  try {
    return JSON.parse(text) as Partial<MarkerText> | null;
  } catch {
    return null;
  }
}

function checkOf(layout: Layout, storeId: string): Marker["check"] {
  // The same file as last time says the same: one call of the system instead of four.
  let seen = "";
  return async () => {
    try {
      const { dev, ino, mtimeMs } = await stat(layout.marker);
      const now = `${dev} ${ino} ${mtimeMs}`;
      if (now === seen) return;
      if (parsed(await readFile(layout.marker, "utf8"))?.storeId !== storeId) {
        throw new Error(`${layout.root} is another folder than the one that was opened.`);
      }
      seen = now;
    } catch (error) {
      throw problems.storeUnavailable(error);
    }
  };
}
