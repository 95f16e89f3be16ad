import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as client from "@supabase/supabase-js";
import { describe, expect, it } from "vitest";

/** Where each public method of `client.functions`, and each option of a call, is tried: the file calls it by its name. */
const tried: Readonly<Record<string, string>> = {
  invoke: "bodies.test.ts",
  setAuth: "callers.test.ts",
};
const options: Readonly<Record<string, string>> = {
  body: "bodies.test.ts",
  headers: "bodies.test.ts",
  method: "bodies.test.ts",
  region: "bodies.test.ts",
  signal: "errors.test.ts",
  timeout: "errors.test.ts",
};
const errors: Readonly<Record<string, string>> = {
  FunctionsError: "errors.test.ts",
  FunctionsFetchError: "errors.test.ts",
  FunctionsHttpError: "errors.test.ts",
  FunctionsRelayError: "errors.test.ts",
};

/** The client's own declarations, which are all there is to say about what is public in it. */
const declarations = (file: string): string => {
  const { resolve } = createRequire(createRequire(import.meta.url).resolve("@supabase/supabase-js"));
  const folder = dirname(resolve("@supabase/functions-js"));
  return readFileSync(join(folder, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
};
/** Members stand at four spaces in their block, and nothing else does. */
const membersOf = (text: string, block: RegExp, member: RegExp): readonly string[] =>
  [...(block.exec(text)?.[1] ?? "").matchAll(member)].map(([, name = ""]) => name);

describe("what is public in client.functions", () => {
  it("is named above: methods", () => {
    const block = /class FunctionsClient \{\n([\s\S]*?)\n\}/;
    const found = membersOf(declarations("FunctionsClient.d.ts"), block, /^ {4}([a-z]\w*)[(<]/gim);
    expect(found.filter((name) => name !== "constructor").toSorted()).toEqual(Object.keys(tried).toSorted());
  });

  it("is named above: options of a call", () => {
    const block = /type FunctionInvokeOptions = \{\n([\s\S]*?)\n\};/;
    const found = membersOf(declarations("types.d.ts"), block, /^ {4}(\w+)\?:/gm);
    expect(found.toSorted()).toEqual(Object.keys(options).toSorted());
  });

  it("is named above: errors", () => {
    const found = Object.keys(client).filter((name) => /^Functions\w*Error$/.test(name));
    expect(found.toSorted()).toEqual(Object.keys(errors).toSorted());
  });

  it.each(Object.entries({ ...tried, ...options, ...errors }))("%s is used in %s", (name, file) => {
    expect(readFileSync(join(import.meta.dirname, file), "utf8")).toMatch(
      new RegExp(`\\.${name}\\(|\\b${name}[,:]|\\(${name}\\)|{ ${name}`),
    );
  });
});
