import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, bob, fixture, startWatched, type WatchedApp } from "./app.ts";
import { ask } from "./ask.ts";

const told = `
  create function public.tell(name text) returns text language plpgsql volatile as $$ begin return current_setting(name, true); end $$;
`;
const lasting = `
  create function public.keep(name text, value text) returns text language sql volatile as $$ select set_config(name, value, false) $$;
`;

const settings = {
  search_path: "hidden",
  statement_timeout: "1234",
  timezone: "Asia/Tokyo",
  role: "service_role",
  "request.jwt.claims": '{"sub": "somebody else"}',
  "request.jwt.claim.sub": "6f0c8d2e-0000-4000-8000-00000000000c",
  "app.tenant": "7",
  default_transaction_read_only: "on",
  row_security: "off",
  DateStyle: "German",
  "response.status": "418",
  "response.headers": '[{"X-Left": "behind"}]',
};

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture + told + lasting);
});
afterAll(() => app.stop());

const tell = async (name: string, as: string): Promise<readonly [number, string]> => {
  const { status, text } = await ask(app, "/rpc/tell", { method: "POST", as, body: JSON.stringify({ name }) });
  return [status, text];
};

describe("B04: what the app's own code sets for its session, the next caller does not find", () => {
  test.each(Object.entries(settings))("%s", async (name, value) => {
    const before = await tell(name, bob);
    const set = await ask(app, "/rpc/keep", { method: "POST", as: ann, body: JSON.stringify({ name, value }) });
    expect(set.text).not.toBe(before[1]);
    // One connection after the other, so that the one it was set on is among them.
    const after = await Promise.all(Array.from({ length: 24 }, () => tell(name, bob)));
    const nothing = before[1] === "null" ? ['""', "null"] : [before[1]];
    for (const [status, text] of after) {
      expect(status).toBe(200);
      expect(nothing).toContain(text);
    }
  });

  test("nor when the function came after the start", async () => {
    await app.sql(`create function public.keep_late(value text) returns void language plpgsql volatile as $$
      begin execute 'set app.late = ' || quote_literal(value); end $$`);
    for (let attempt = 0; attempt < 600; attempt++) {
      const answer = await ask(app, "/rpc/keep_late", { method: "POST", body: '{"value": "x"}' });
      if (answer.status === 204) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    for (let at = 0; at < 24; at++) expect(["null", '""']).toContain((await tell("app.late", bob))[1]);
  });

  test("which costs nothing where no code does so", async () => {
    const other = await startWatched(fixture + told);
    try {
      await ask(other, "/letters?id=eq.1", { as: other.anonKey });
      await ask(other, "/rpc/tell", { method: "POST", body: '{"name": "role"}', as: other.anonKey });
      expect(other.relay.statements.has("reset all")).toBe(false);
      expect(app.relay.statements.has("reset all")).toBe(true);
    } finally {
      await other.stop();
    }
  });
});
