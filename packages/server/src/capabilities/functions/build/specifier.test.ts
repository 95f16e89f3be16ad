import { describe, expect, it } from "vitest";
import { parseJsonc } from "./jsonc.ts";
import { satisfies } from "./semver.ts";
import { readSpecifier } from "./specifier.ts";

/** `name|range|subpath`, or the kind and what it has. */
function shown(specifier: string): string {
  const wanted = readSpecifier(specifier);
  switch (wanted.kind) {
    case "package":
      return [wanted.name, wanted.range ?? "", wanted.subpath].join("|");
    case "std":
      return `std ${wanted.module}`;
    case "node":
      return `node ${wanted.name}`;
    case "file":
      return `file ${wanted.path}`;
    case "types":
      return "types";
    case "remote":
      return "remote";
  }
}

describe("a specifier", () => {
  it.each([
    ["npm:stripe", "stripe||"],
    ["npm:stripe@14.21.0", "stripe|14.21.0|"],
    ["npm:/stripe@14", "stripe|14|"],
    ["npm:@supabase/supabase-js@2", "@supabase/supabase-js|2|"],
    ["npm:lodash@4/fp", "lodash|4|/fp"],
    ["npm:@aws-sdk/client-s3@^3.1/dist/x.js", "@aws-sdk/client-s3|^3.1|/dist/x.js"],
    ["lodash/fp", "lodash||/fp"],
    ["jsr:@supabase/supabase-js@2", "@supabase/supabase-js|2|"],
    ["jsr:@hono/hono@4/cors", "hono|4|/cors"],
    ["jsr:@std/http@1/server-sent-event-stream", "std http/server-sent-event-stream"],
    ["jsr:@std/encoding", "std encoding"],
    ["jsr:@supabase/functions-js/edge-runtime.d.ts", "types"],
    ["jsr:@supabase/functions-js@2/edge-runtime", "types"],
    ["https://esm.sh/v135/@supabase/functions-js@2.4.1/src/edge-runtime.d.ts", "types"],
    ["https://esm.sh/@supabase/supabase-js@2.7.1?target=deno&no-check", "@supabase/supabase-js|2.7.1|"],
    ["https://esm.sh/stripe@14.21.0&target=deno", "stripe|14.21.0|"],
    ["https://esm.sh/v135/zod@3", "zod|3|"],
    ["https://esm.sh/*preact@10/hooks", "preact|10|/hooks"],
    ["https://esm.sh/jsr/@luca/cases@1", "@luca/cases|1|"],
    ["https://esm.sh/gh/user/repo", "remote"],
    ["https://esm.sh/zod@%5E3.22", "zod|^3.22|"],
    ["https://cdn.skypack.dev/lodash@4?dts", "lodash|4|"],
    ["https://cdn.skypack.dev/-/@x/y@v1.2.3-abc/dist=es2020/y.js", "@x/y|1.2.3|"],
    ["https://unpkg.com/dayjs@1/esm/index.js", "dayjs|1|/esm/index.js"],
    ["https://cdn.jsdelivr.net/npm/dayjs@1/+esm", "dayjs|1|"],
    ["https://cdn.jsdelivr.net/gh/user/repo/x.js", "remote"],
    ["https://esm.run/zod@3", "zod|3|"],
    ["https://deno.land/std@0.168.0/http/server.ts", "std http/server"],
    ["https://deno.land/std/encoding/base64.ts", "std encoding/base64"],
    ["https://deno.land/x/zod@v3.22.4/mod.ts", "zod|3.22.4|"],
    ["https://deno.land/x/hono@v3/middleware.ts", "hono|3|/middleware"],
    ["https://deno.land/x/unheard_of@1/mod.ts", "remote"],
    ["https://example.com/x.ts", "remote"],
    ["node:fs/promises", "node fs/promises"],
    ["./x.ts", "file ./x.ts"],
    ["..", "file .."],
    ["/x.ts", "file /x.ts"],
    ["./types.d.ts", "types"],
    ["npm:", "remote"],
    ["jsr:nothing", "remote"],
  ])("%s is %s", (specifier, expected) => {
    expect(shown(specifier)).toBe(expected);
  });
});

describe("a version", () => {
  it.each([
    ["1.2.3", "1.2.3", true],
    ["1.2.4", "1.2.3", false],
    ["1.9.0", "1", true],
    ["2.0.0", "1", false],
    ["1.9.0", "1.x", true],
    ["1.2.9", "1.2", true],
    ["1.3.0", "1.2", false],
    ["1.3.0", "^1.2.3", true],
    ["1.2.2", "^1.2.3", false],
    ["2.0.0-beta.1", "^1.2.3", false],
    ["0.2.9", "^0.2.3", true],
    ["0.3.0", "^0.2.3", false],
    ["0.0.4", "^0.0.3", false],
    ["0.9.0", "^0", true],
    ["1.2.9", "~1.2.3", true],
    ["1.3.0", "~1.2.3", false],
    ["1.9.9", "~1", true],
    ["2.5.0", ">=2 <3", true],
    ["3.0.0", ">=2 <3", false],
    ["2.5.0", ">= 2.4", true],
    ["3.0.0", ">2", true],
    ["2.9.0", ">2", false],
    ["2.9.0", "<=2", true],
    ["1.5.0", "1.0.0 - 2.0.0", true],
    ["2.0.1", "1.0.0 - 2.0.0", false],
    ["3.1.0", "^1 || ^3", true],
    ["2.1.0", "^1 || ^3", false],
    ["1.0.0-beta.2", ">=1.0.0-beta.1", true],
    ["1.0.0", "latest", true],
    ["1.0.0", "*", true],
    ["1.0.0", "", true],
    ["", "^1", true],
  ])("%s for %s: %s", (version, range, expected) => {
    expect(satisfies(version, range)).toBe(expected);
  });
});

describe("JSON with comments", () => {
  it("is read, and strings are left alone", () => {
    const text = '\uFEFF{ // one\n "a": "http://x, ]", /* two\n */ "b": [1, 2, ],\n "c": "\\"//",\n}';
    expect(parseJsonc(text)).toEqual({ a: "http://x, ]", b: [1, 2], c: '"//' });
    expect(() => parseJsonc('{ "a": }')).toThrow(SyntaxError);
  });
});
