import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, it, type TestContext } from "vitest";
import { describeInBrowser } from "./harness.ts";
import { bootWithSite, type RealtimeApp } from "./realtime-app.ts";
import { openRealtime, signUp } from "./realtime-page.ts";

describeInBrowser("realtime, in Chromium", (browser) => {
  let app: RealtimeApp;
  beforeAll(async () => {
    app = await bootWithSite();
  });
  afterAll(() => app?.stop());

  const open = async (test: TestContext) => openRealtime(await browser.page(test), app.site.origin, app);
  const write = (owner: string, body: string) =>
    app.sql<{ id: number }>("insert into notes (owner_id, body, tags, details) values ($1, $2, $3, $4) returning id", [
      owner,
      body,
      ["a", "b,c"],
      { stars: 5 },
    ]);

  it("tells a page of its own rows, whole and typed, and of nobody else's", async (test) => {
    const [ada, bob] = [await open(test), await open(test)];
    const [adaId, bobId] = [await signUp(ada), await signUp(bob)];
    const [hers, his] = await Promise.all([ada, bob].map((one) => one.channel("notes", { rowsOf: "notes" })));
    const [note] = await write(adaId, "hers");
    await app.sql("update notes set body = 'hers, changed' where id = $1", [note?.id]);
    await app.sql("delete from notes where id = $1", [note?.id]);
    await write(bobId, "his");
    await his!.first("change", ({ change }) => (change.new as { body?: string }).body === "his");
    await hers!.first("change", ({ change }) => change.eventType === "DELETE");
    const told = (await hers!.all("change")).map(({ change }) => change);
    const common = { schema: "public", table: "notes", commit_timestamp: expect.any(String), errors: null };
    const row = { id: note?.id, owner_id: adaId, tags: ["a", "b,c"], details: { stars: 5 } };
    expect(told).toEqual([
      { ...common, eventType: "INSERT", new: { ...row, body: "hers" }, old: {} },
      { ...common, eventType: "UPDATE", new: { ...row, body: "hers, changed" }, old: { id: note?.id } },
      { ...common, eventType: "DELETE", new: {}, old: { id: note?.id } },
    ]);
    // Of a deleted row everybody who asks is told the key: only the whole old row in the log would say whose it was.
    const foreign = (await his!.all("change")).map(({ change }) => [change.eventType, change.new, change.old]);
    expect(foreign).toEqual([
      ["DELETE", {}, { id: note?.id }],
      ["INSERT", expect.objectContaining({ body: "his" }), {}],
    ]);
  });

  it("carries text and bytes between two pages, in the frames of version 2", async (test) => {
    const [ada, bob] = [await open(test), await open(test)];
    const frames: (string | Buffer)[] = [];
    const addresses: string[] = [];
    ada.page.on("websocket", (socket) => {
      addresses.push(socket.url());
      socket.on("framereceived", ({ payload }) => frames.push(payload));
    });
    const name = randomUUID();
    const options = { config: { broadcast: { ack: true } } };
    const [hers, his] = await Promise.all([ada, bob].map((one) => one.channel(name, { options })));
    const everyByte = Array.from({ length: 256 }, (_, byte) => byte);
    expect(await his!.broadcast("text", { said: "Grüße 🦊", at: [1.5, null] })).toBe("ok");
    expect(await his!.broadcast("bytes", { bytes: everyByte })).toBe("ok");
    expect(await his!.broadcast("empty", { bytes: [] })).toBe("ok");
    await hers!.first("broadcast", ({ event }) => event === "empty");
    expect((await hers!.all("broadcast")).map(({ event, payload }) => [event, payload])).toEqual([
      ["text", { said: "Grüße 🦊", at: [1.5, null] }],
      ["bytes", { bytes: everyByte }],
      ["empty", { bytes: [] }],
    ]);
    // Nobody hears themselves without having asked for it.
    expect(await his!.all("broadcast")).toEqual([]);
    expect(addresses.map((address) => new URL(address).searchParams.get("vsn"))).toEqual(["2.0.0"]);
    expect(frames.filter((frame) => typeof frame !== "string").map((frame) => frame[0])).toEqual([4, 4, 4]);
  });

  it("says who is here: who comes, changes, and closes the page", async (test) => {
    const [ada, bob] = [await open(test), await open(test)];
    const name = randomUUID();
    const [hers, his] = await Promise.all(
      [ada, bob].map((one, at) =>
        one.channel(name, { tracksPresence: true, options: { config: { presence: { key: ["ada", "bob"][at]! } } } }),
      ),
    );
    expect(await hers!.track({ mood: "fine" })).toBe("ok");
    expect(await his!.track({ mood: "tired" })).toBe("ok");
    await hers!.first("presence", ({ keys }) => keys.join() === "ada,bob");
    await his!.track({ mood: "awake" });
    const moodOfBob = () =>
      hers!.channel.evaluate((channel) => (channel.presenceState().bob as { mood?: string }[] | undefined)?.[0]?.mood);
    await expect.poll(moodOfBob).toBe("awake");
    await bob.page.close();
    await expect.poll(async () => (await hers!.all("presence")).at(-1)?.keys).toEqual(["ada"]);
  });

  it("R06 R07 lets those onto a private channel whom policies let, to hear or to speak", async (test) => {
    const [ada, bob, eve] = [await open(test), await open(test), await open(test)];
    await Promise.all([ada, bob].map(signUp));
    const options = { config: { private: true, broadcast: { ack: true } } };
    const [hers, his] = await Promise.all([ada, bob].map((one) => one.channel("family", { options })));
    const refused = await eve.channel("family", { options, isRefused: true });
    expect(await refused.first("status")).toMatchObject({
      status: "CHANNEL_ERROR",
      problem: "Unauthorized: You do not have permissions to read from this Channel topic: family",
    });
    const aside = await eve.channel("family of nobody");
    expect(await hers!.broadcast("hello", { from: "ada" })).toBe("ok");
    await his!.first("broadcast", ({ event }) => event === "hello");

    const [listening, listener] = await Promise.all(
      [ada, bob].map((one) => one.channel("family news", { options: { config: { private: true } } })),
    );
    await listening!.broadcast("not allowed", {});
    await app.sql(`select realtime.send('{"n": 1}', 'from the database', 'family news')`);
    const sent = await listener!.first("broadcast");
    expect(sent).toMatchObject({ event: "from the database", payload: { n: 1 } });
    expect(await listener!.all("broadcast")).toHaveLength(1);
    for (const silent of [refused, aside]) expect(await silent.all("broadcast")).toEqual([]);
  });
});
