import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, fixture, mint, startWatched, type WatchedApp } from "./app.ts";
import { openJudge } from "./judge.ts";
import { type Attempt, attempts } from "./mutate.ts";
import { fault } from "./oracles.ts";
import { inParallel, send } from "./send.ts";
import { valueMark } from "./values.ts";

const requests = Number(process.env.MAINSTAY_FUZZ_REQUESTS ?? 8_000);
const seed = Number(process.env.MAINSTAY_FUZZ_SEED ?? 20_261_121);
const batchSize = 2_000;
const width = 24;

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture, {
    data: { schemas: ["public", "extra"], aggregatesEnabled: true, planEnabled: true, txEnd: "commit-allow-override" },
  });
});
afterAll(() => app.stop());

const canaries = () =>
  app.sql(`select
    (select jsonb_agg(t order by id) from public.canary_locked t) as locked,
    (select jsonb_agg(t order by id) from public.canary_column t) as columns,
    (select jsonb_agg(t order by id) from public.canary_rows t where owner_id = '99999999-0000-4000-8000-000000000009') as rows,
    (select jsonb_agg(t order by id) from vault.canary_gold t) as gold,
    (select count(*)::int from vault.canary_log) as sung,
    (select count(*)::int from pg_class where relnamespace = 'public'::regnamespace) as relations`);

describe(`B01 B07: ${requests} generated requests`, () => {
  const tally = new Map<string, number>();
  const count = (key: string) => tally.set(key, (tally.get(key) ?? 0) + 1);
  const faults: string[] = [];
  const known = new Set<string>();
  let before: unknown;

  test("are each answered, below 500 and without a word of ours", { timeout: 120_000 + requests * 20 }, async () => {
    before = await canaries();
    // The description at the root is one statement that never changes: what is sent for it is known before anything else is.
    await send(app.url, { method: "GET", target: "/rest/v1/", headers: { apikey: app.anonKey }, body: null });
    for (const text of app.relay.statements.keys()) known.add(text);
    const keys: Readonly<Record<Attempt["as"], Record<string, string>>> = {
      nobody: { apikey: app.anonKey },
      anon: { apikey: app.anonKey, authorization: `Bearer ${app.anonKey}` },
      user: { apikey: app.anonKey, authorization: `Bearer ${ann}` },
      service: { apikey: app.anonKey, authorization: `Bearer ${mint({ role: "service_role" })}` },
    };
    for (let done = 0; done < requests; done += batchSize) {
      const batch = fc.sample(attempts, { numRuns: Math.min(batchSize, requests - done), seed: seed + done });
      await inParallel(batch, width, async ({ request, isMutated, as }) => {
        const sent = { ...request, headers: { ...request.headers, ...keys[as] } };
        const report = (what: string, detail: string) =>
          faults.push(
            `${what}\n  ${request.method} ${request.target} ${JSON.stringify(request.headers)} as ${as}\n  ${request.body ?? ""}\n  → ${detail}`,
          );
        try {
          const answer = await send(app.url, sent);
          const key = `${isMutated ? "mutated" : "valid"} ${Math.floor(answer.status / 100)}xx`;
          count(key);
          if (answer.status >= 500) count(`${answer.status} ${/"code":"(\w+)"/.exec(answer.text)?.[1]}`);
          const wrong = fault(sent, answer);
          if (wrong !== null) report(wrong, `${answer.status} ${answer.text.slice(0, 600)}`);
        } catch (error) {
          report("got no answer", String(error));
        }
      });
    }
    // What we answer 500 to is our mistake, and only the server's own report says which.
    for (const observation of app.observations) {
      if (observation.kind === "request.failed") faults.push(String((observation.error as Error).stack));
    }
    console.info("answers:", Object.fromEntries([...tally].sort()), "faults:", faults.length);
    expect(faults.slice(0, 20).join("\n\n"), `${faults.length} faults, seed ${seed}`).toBe("");
  });

  test("leave every canary as it was", async () => {
    expect(await canaries()).toEqual(before);
  });

  test("became statements of known shapes only, and no value became text of one", async () => {
    const judge = await openJudge(["public", "extra"]);
    const texts = [...app.relay.statements.keys()].filter((text) => !known.has(text));
    const wrong = texts.flatMap((text) => {
      const why = text.includes(valueMark) ? "holds a value" : judge(text);
      return why === null ? [] : [`${why}\n  ${text}`];
    });
    console.info("statements:", texts.length, "messages:", app.relay.messages);
    expect(wrong.slice(0, 10).join("\n\n"), `${wrong.length} of ${texts.length} statements`).toBe("");
  });

  test("reached PostgreSQL in every way there is, so that the above means something", () => {
    const texts = [...app.relay.statements.keys()];
    const share = (kind: string) =>
      (tally.get(`${kind} 2xx`) ?? 0) /
      [...tally].reduce((sum, [key, count]) => sum + (key.startsWith(kind) ? count : 0), 0);
    expect(share("valid")).toBeGreaterThan(0.3);
    expect(share("mutated")).toBeGreaterThan(0.05);
    for (const pattern of [
      / from "public"\."films"/,
      /insert into/,
      /update "public"/,
      /delete from/,
      /on conflict/,
      /^explain/,
      /lateral/,
      /"public"\."twice"/,
    ]) {
      expect(
        texts.some((text) => pattern.test(text)),
        String(pattern),
      ).toBe(true);
    }
    expect(texts.length).toBeGreaterThan(requests / 50);
  });
});
