import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { blocksOf } from "./pages.ts";

export interface GuideProject {
  readonly dir: string;
  readonly files: readonly string[];
  remove(): void;
}

/** A project made of the files that pages show. Two blocks of one name would be two truths: that throws. */
export function writeProject(pages: readonly string[], change: (text: string) => string): GuideProject {
  const dir = mkdtempSync(join(tmpdir(), "guides-"));
  const files: string[] = [];
  for (const block of pages.flatMap(blocksOf)) {
    if (block.file === null) continue;
    if (files.includes(block.file)) throw new Error(`${block.file} is shown twice.`);
    files.push(block.file);
    const path = join(dir, block.file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, change(block.text));
  }
  return { dir, files, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
