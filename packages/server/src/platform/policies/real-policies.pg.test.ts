import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareWithPostgres, type Table } from "./compare.testing.ts";
import { createPolicyCompiler } from "./compile/index.ts";
import { people, realPolicies, realRows, realSchema } from "./real-policies.testing.ts";
import { openPolicyBench, type PolicyBench, principal } from "./testing.ts";

const compiler = createPolicyCompiler({ parserIdleMs: 1_000 });
let bench: PolicyBench;
let things: Table;

beforeAll(async () => {
  bench = await openPolicyBench();
  await bench.run(realSchema);
  await bench.run(realRows);
  await bench.readShapes();
  const name = { schema: "public", name: "things" };
  const columns = bench.shapeOf(name)!.columns.map((column) => column.name);
  things = { ...name, columns, images: await bench.images("things", columns) };
});
afterAll(async () => {
  await compiler.close();
  await bench.close();
});

const user = (sub: string, more: object = {}) =>
  principal("authenticated", { sub, role: "authenticated", ...more }, sub);
const callers = [
  principal("anon", { role: "anon" }),
  user(people.a, {
    aal: "aal2",
    tenant: "acme",
    email: "ann@acme.com",
    app_metadata: { role: "admin", tenant: "acme", org_id: 1, is_admin: true, roles: ["admin"], teams: [people.a] },
  }),
  user(people.b, {
    email: "bob@beta.io",
    is_anonymous: false,
    app_metadata: { role: "user", org_id: 2, is_admin: false, roles: ["editor"] },
  }),
  user(people.c, { is_anonymous: true, app_metadata: {} }),
];

describe("policies as projects write them", () => {
  const entries = realPolicies.map((entry) => (typeof entry === "string" ? ([entry, "whole"] as const) : entry));
  let [whole, expected] = [0, 0];

  it.each(entries)("%s (%s)", async (sql, reach) => {
    const result = await compareWithPostgres(bench, compiler, things, [{ sql, isPermissive: true }], callers);
    expect(result.wrong.slice(0, 3)).toEqual([]);
    const { policy, asked, cases } = result;
    const found = policy.kind === "beyond" ? "beyond" : policy.beyond === null ? "whole" : "partly";
    if (reach === "whole") {
      expected++;
      if (found === "whole" && asked === 0) whole++;
      else
        console.warn(
          `${sql}: ${found}, ${asked} of ${cases} asked`,
          policy.kind === "beyond" ? policy.reason : policy.beyond,
        );
    } else {
      expect(found).toBe(reach);
      if (reach === "partly") expect(asked).toBeLessThan(cases);
    }
  });

  it("are decided without asking, 95 % of those that should be", () => {
    expect(expected).toBeGreaterThan(60);
    expect(whole / expected).toBeGreaterThanOrEqual(0.95);
  });
});
