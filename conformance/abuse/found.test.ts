import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, startWatched, type WatchedApp } from "./app.ts";
import { type AskOptions, ask } from "./ask.ts";

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture, { data: { schemas: ["public", "extra"], aggregatesEnabled: true } });
});
afterAll(() => app.stop());

/** Requests that generated ones have found answered wrongly, each as small as it can be. */
const found: readonly (readonly [path: string, options: AskOptions, status: number, text: RegExp])[] = [
  ["/letters?id=eq.1", { method: "PUT", body: "{}" }, 400, /"PGRST115"/],
  ["/letters?select=count()&order=letter", {}, 400, /"column \\"letter\\" must appear/],
  ["/Strange%20names?select=count()&order=%22(paren)%22", {}, 400, /"column \\"\(paren\)\\" must appear/],
  ["/products?order=attributes->>%00", {}, 400, /"PGRST100"/],
  ["/rpc/join_words?words=a&words=b&separator=-", {}, 200, /^"a-b"$/],
  ["/rpc/join_words", { method: "POST", body: '{"words": ["a", "b"], "separator": "-"}' }, 200, /^"a-b"$/],
];

describe("requests that once went wrong", () => {
  test.each(found)("%s %o", async (path, options, status, text) => {
    const answer = await ask(app, path, options);
    expect(answer.text).toMatch(text);
    expect(answer.status).toBe(status);
  });
});
