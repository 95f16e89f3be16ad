import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { identitySettings, openIdentity } from "../../../platform/identity/index.ts";
import { openClient, openTestSockets, type TestClient } from "./testing.ts";

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp() {
  const dir = await mkdtemp(join(tmpdir(), "socket-keys-"));
  closers.push(() => rm(dir, { recursive: true, force: true }));
  const keys = await openIdentity({
    keysDir: join(dir, "keys"),
    settings: { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0 },
    observe: () => {},
    clock: { nowMs: () => Date.now() },
  });
  closers.push(() => keys.close());
  const sockets = await openTestSockets({ identity: keys.identity });
  closers.push(() => sockets.stop());
  return { keys, sockets };
}

const user = { sub: "7f6bd2c1-0000-4000-8000-000000000001", role: "authenticated" };
const later = { exp: Math.floor(Date.now() / 1000) + 3_600 };

/** Answered: so whatever the server had to say before has arrived. */
async function beats({ websocket, heard, say }: TestClient): Promise<boolean> {
  if (websocket.readyState !== websocket.OPEN) return false;
  heard.length = 0;
  say([null, "1", "phoenix", "heartbeat", {}]);
  await expect.poll(() => heard.length + websocket.readyState).not.toBe(websocket.OPEN);
  return heard.length > 0;
}

test("A04 sockets end with the key they came with, whichever kind it is, and others stay", async () => {
  const { keys, sockets } = await setUp();
  const { anonKey, serviceRoleKey, publishableKey, secretKey } = keys.keys;
  const withKeys: TestClient[] = [];
  for (const apikey of [anonKey, serviceRoleKey, publishableKey, publishableKey, secretKey]) {
    withKeys.push(await openClient(sockets, { apikey, vsn: "2.0.0" }));
  }
  const withToken = await openClient(sockets, { apikey: keys.signer.sign({ ...user, ...later }), vsn: "2.0.0" });
  // A signing key that is followed by another is good for as long as its tokens are.
  await keys.rotate();
  for (const each of [...withKeys, withToken]) expect(await beats(each)).toBe(true);
  await keys.rotate({ apiKeys: true });
  for (const { closed } of withKeys) {
    expect(await closed).toEqual({ code: 1008, reason: "The API key is not valid any more" });
  }
  expect(await beats(withToken)).toBe(true);
  const withNewKey = await openClient(sockets, { apikey: keys.keys.publishableKey, vsn: "2.0.0" });
  await keys.rotate({ revoke: true });
  expect((await withToken.closed).code).toBe(1008);
  expect(await beats(withNewKey)).toBe(true);
});

test("A04 sockets without a key stay, where none is needed", async () => {
  const { keys } = await setUp();
  const identity = { ...keys.identity, identifyKey: () => keys.identity.anonymous };
  const told: (() => void)[] = [];
  const sockets = await openTestSockets({
    identity: {
      ...identity,
      anonymous: keys.identity.anonymous,
      identify: keys.identity.identify.bind(keys.identity),
      verify: keys.identity.verify.bind(keys.identity),
      onKeysReplaced(listener) {
        told.push(listener);
        return () => {};
      },
    },
  });
  closers.push(() => sockets.stop());
  const client = await openClient(sockets, { vsn: "2.0.0" });
  for (const tell of told) tell();
  expect(await beats(client)).toBe(true);
});
