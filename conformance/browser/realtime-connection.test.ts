import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { describeInBrowser } from "./harness.ts";
import { bootWithSite, type RealtimeApp } from "./realtime-app.ts";
import { openRealtime, type PageChannel, type PageClient, signUp } from "./realtime-page.ts";

describeInBrowser("a realtime connection that has to last, in Chromium", (browser) => {
  let app: RealtimeApp;
  beforeAll(async () => {
    app = await bootWithSite();
  });
  afterAll(() => app?.stop());

  const open = async (test: TestContext, heartbeatIntervalMs?: number) =>
    openRealtime(await browser.page(test), app.site.origin, app, { heartbeatIntervalMs });
  const write = (owner: string, body: string) =>
    app.sql("insert into notes (owner_id, body) values ($1, $2)", [owner, body]);
  const bodies = async (channel: PageChannel): Promise<readonly string[]> =>
    (await channel.all("change")).map(({ change }) => (change.new as { body: string }).body);
  const isOn = ({ extension, status }: { extension: string; status: string }) =>
    extension === "postgres_changes" && status === "ok";
  const take = (who: PageClient, token: string) =>
    who.client.evaluate((client, token) => client.realtime.setAuth(token), token);

  it("goes on with the token that the page has refreshed", async (test) => {
    const ada = await open(test);
    const id = await signUp(ada);
    const [notes, family] = await Promise.all([
      ada.channel("notes", { rowsOf: "notes" }),
      ada.channel("family", { options: { config: { private: true } } }),
    ]);
    // Signed with the shared secret, the token of one second is the same token: the client has nothing to say of it.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const refreshed = await ada.client.evaluate(async (client) => {
      const { data, error } = await client.auth.refreshSession();
      return error?.message ?? data.session?.user.id;
    });
    expect(refreshed).toBe(id);
    // The server takes the new one up and says so.
    await expect.poll(async () => (await notes.all("system")).filter(isOn).length).toBeGreaterThan(1);
    await write(id, "after the refresh");
    await app.sql(`select realtime.send('{}', 'after the refresh', 'family')`);
    await notes.first("change");
    await family.first("broadcast");
    for (const channel of [notes, family]) {
      expect((await channel.all("status")).map(({ status }) => status)).toEqual(["SUBSCRIBED"]);
    }
  });

  it("R01 ends with a token that is not refreshed, and outlives one that is", async (test) => {
    const [ada, bob] = [await open(test), await open(test)];
    const [hers, his] = ["b1000000-0000-4000-8000-00000000000a", "b1000000-0000-4000-8000-00000000000b"] as const;
    await Promise.all([take(ada, app.tokenOf(hers, 5)), take(bob, app.tokenOf(his, 5))]);
    const [kept, left] = await Promise.all([ada, bob].map((one) => one.channel("notes", { rowsOf: "notes" })));
    await take(ada, app.tokenOf(hers, 120));
    const end = await left!.first("status", ({ status }) => status !== "SUBSCRIBED");
    expect(end.status).toBe("CLOSED");
    expect(await left!.first("system", ({ status }) => status === "error")).toMatchObject({ extension: "system" });
    await write(hers, "still there");
    await write(his, "too late");
    await kept!.first("change");
    expect(await bodies(kept!)).toEqual(["still there"]);
    expect(await bodies(left!)).toEqual([]);
    expect((await kept!.all("status")).map(({ status }) => status)).toEqual(["SUBSCRIBED"]);
  });

  it("R13 loses nothing while the page is offline: all comes afterwards, in order, and nobody else's", async (test) => {
    const [ada, bob] = [await open(test, 300), await open(test)];
    const [adaId, bobId] = [await signUp(ada), await signUp(bob)];
    const [notes, family] = await Promise.all([
      ada.channel("notes", { rowsOf: "notes" }),
      ada.channel("family", { options: { config: { private: true } } }),
    ]);
    await write(adaId, "before");
    await notes.first("change");

    await ada.page.context().setOffline(true);
    // The page notices by its heartbeats, as a phone does that no one has told.
    await notes.first("status", ({ status }) => status === "CHANNEL_ERROR");
    for (let i = 0; i < 50; i++) {
      await write(adaId, `offline ${i}`);
      await write(bobId, "foreign");
      await app.sql("select realtime.send($1, 'offline', 'family')", [{ i }]);
    }
    expect(await bodies(notes)).toEqual(["before"]);
    await ada.page.context().setOffline(false);

    await notes.first("change", ({ change }) => (change.new as { body: string }).body === "offline 49");
    await family.first("broadcast", ({ payload }) => (payload as { i: number }).i === 49);
    await write(adaId, "after");
    await notes.first("change", ({ change }) => (change.new as { body: string }).body === "after");
    // At least once: what was on its way may come twice.
    const expected = Array.from({ length: 50 }, (_, i) => i);
    expect([...new Set(await bodies(notes))]).toEqual(["before", ...expected.map((i) => `offline ${i}`), "after"]);
    const heard = (await family.all("broadcast")).map(({ payload }) => (payload as { i: number }).i);
    expect([...new Set(heard)]).toEqual(expected);
    expect((await notes.all("system")).filter(({ status }) => status === "error")).toEqual([]);
  });
});
