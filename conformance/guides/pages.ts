import { readFileSync } from "node:fs";
import { join } from "node:path";

const guides = join(import.meta.dirname, "../../docs/guide");

/** A fenced piece of a page. */
export interface Block {
  readonly language: string;
  /** The file it is, where its first line says so; `null` of a piece. */
  readonly file: string | null;
  readonly text: string;
}

/** All code of a page of the guide, in its order. */
export function blocksOf(page: string): readonly Block[] {
  const text = readFileSync(join(guides, page), "utf8");
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => ({
    language,
    file: /^(?:\/\/|--|#) ((?:functions|migrations|supabase)\/\S+)$/m.exec(code.split("\n", 1)[0] ?? "")?.[1] ?? null,
    text: code,
  }));
}

/** The pieces of a page in a language that are no files. */
export const piecesOf = (page: string, language: string): readonly string[] =>
  blocksOf(page)
    .filter((block) => block.file === null && block.language === language)
    .map(({ text }) => text);
