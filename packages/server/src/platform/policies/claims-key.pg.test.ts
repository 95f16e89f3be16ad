import { expect, it } from "vitest";
import { openEngine } from "./engine.testing.ts";
import { principal } from "./testing.ts";

it("R02 callers whose numbers only JavaScript takes for equal see each their own", async () => {
  const engine = await openEngine({
    sql: `
      create table docs (id int primary key, org bigint);
      insert into docs values (1, 9007199254740993), (2, 9007199254740992);
      alter table docs enable row level security;
      create policy own on docs using (org = (auth.jwt() ->> 'org')::bigint);
      grant select on docs to authenticated;`,
  });
  try {
    const docs = await engine.relation("docs");
    await engine.policies.prepare([docs]);
    const rows = await engine.images("docs", docs);
    for (const org of ["9007199254740993", "9007199254740992"]) {
      const claimsJson = `{"role":"authenticated","org":${org}}`;
      const who = { ...principal("authenticated", JSON.parse(claimsJson)), claimsJson };
      const seen = await engine.policies.groupOf(docs, who).sees(rows);
      const shown = rows.filter((_, at) => seen[at]).map(([id]) => id);
      expect(shown, org).toEqual(await engine.selected("docs", who));
      expect(shown).toHaveLength(1);
    }
  } finally {
    await engine.close();
  }
});
