import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { processCode } from "./process-code.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "process-code-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const compiler = () => import("esbuild");
const none = () => Promise.reject(new Error("There is no compiler."));

test("is one module of each, without files of ours to load besides", async () => {
  const { supervisor, thread } = (await processCode(folder, compiler))!;
  for (const path of [supervisor, thread]) {
    const imported = [...readFileSync(path, "utf8").matchAll(/^(?:import|export) .*?from "([^"]+)";$/gm)].map(
      ([, from]) => from,
    );
    expect(imported.length).toBeGreaterThan(0);
    expect(imported.filter((from) => !from!.startsWith("node:"))).toEqual([]);
  }
});

test("is made once, and needs no compiler from then on", async () => {
  const made = await processCode(folder, compiler);
  expect(await processCode(folder, none)).toEqual(made);
});

test("is made anew when it is torn, or of other sources", async () => {
  const made = (await processCode(folder, compiler))!;
  const whole = readFileSync(made.thread, "utf8");
  writeFileSync(made.thread, whole.slice(0, 1_000));
  expect(await processCode(folder, none)).toBeNull();
  expect(await processCode(folder, compiler)).toEqual(made);
  expect(readFileSync(made.thread, "utf8")).toBe(whole);
  const notes = join(folder, "process", "notes.json");
  const { inputs, ...rest } = JSON.parse(readFileSync(notes, "utf8")) as { inputs: Record<string, string> };
  const other = Object.fromEntries(Object.keys(inputs).map((path, i) => [path, i === 0 ? "other" : inputs[path]]));
  writeFileSync(notes, JSON.stringify({ ...rest, inputs: other }));
  expect(await processCode(folder, none)).toBeNull();
});

test("is left out where it cannot be made", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  expect(await processCode(file, compiler)).toBeNull();
});
