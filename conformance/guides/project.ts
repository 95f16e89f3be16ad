import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { blocksOf } from "./pages.ts";

export interface GuideProject {
  readonly dir: string;
  readonly files: readonly string[];
  remove(): void;
}

/**
 * A project made of the files that pages show. Two blocks of one name would be two truths: that throws. Functions of `supabase/` stand among the others: they
 * are run alike.
 */
export function writeProject(pages: readonly string[], change: (text: string) => string): GuideProject {
  const dir = mkdtempSync(join(tmpdir(), "guides-"));
  const files: string[] = [];
  for (const { file, text } of pages.flatMap(blocksOf)) {
    if (file === null) continue;
    const name = file.replace(/^supabase\//, "");
    if (files.includes(name)) throw new Error(`${name} is shown twice.`);
    files.push(name);
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, change(text));
  }
  return { dir, files, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
