import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../kernel/clock.ts";
import { Problem } from "../../kernel/problem.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { nodesSettings, openNodes } from "../nodes/index.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { openRevocations, type Revocations } from "../revocation/index.ts";
import { identitySettings, type OpenIdentity, openIdentity } from "./index.ts";
import { seal, sealingKey, unseal } from "./sealed.ts";

const withinMs = 5_000;
const masterKey = "a master key of the tests, and long enough";

let database: Awaited<ReturnType<typeof testDatabase>>;
let admin: pg.Client;
let dir: string;
const opened: { close(): unknown }[] = [];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "shared-keys-"));
});
beforeEach(async () => {
  database = await testDatabase(await templateDatabase());
  admin = new pg.Client({ connectionString: database.url });
  await admin.connect();
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await admin.end();
  await database.drop();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Node {
  readonly keysDir: string;
  readonly db: Database;
  readonly keys: OpenIdentity;
  readonly revocations: Revocations;
  readonly warnings: string[];
  verdict(token: string, apikey?: string): string;
  stop(): Promise<void>;
}

async function openNode(
  given: Partial<Values<typeof identitySettings>> = { masterKey },
  keysDir?: string,
): Promise<Node> {
  const settings = {
    ...readSettings(identitySettings, { env: {} }).values,
    keyPollMs: 50,
    revocationPollMs: 500,
    ...given,
  };
  const warnings: string[] = [];
  const observe = (seen: { kind: string; message?: string }) => {
    if (seen.kind === "warning") warnings.push(seen.message ?? "");
  };
  const folder = keysDir ?? join(dir, randomUUID());
  const db = openDatabase({ connectionString: database.url, max: 2 });
  const keys = await openIdentity({ keysDir: folder, settings, observe, clock: systemClock });
  const revocations = await openRevocations({ database: db, settings, tokenSeconds: 3_600 });
  keys.refuseEnded(revocations);
  const closers: (() => unknown)[] = [() => db.close(), () => keys.close(), () => revocations.close()];
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) await close();
  };
  opened.push({ close: stop });
  const nodes = await openNodes({ database: db, settings: readSettings(nodesSettings, { env: {} }).values, observe });
  closers.push(() => nodes.close());
  const sharing = await keys.share({ database: db, among: { news: revocations, nodes } });
  closers.push(() => sharing.close());
  const verdict = (token: string, apikey = keys.keys.publishableKey) => {
    try {
      keys.identity.identify({ apikey, authorization: `Bearer ${token}` }, "");
      return "accepted";
    } catch (error) {
      return error instanceof Problem ? error.code : String(error);
    }
  };
  return { keysDir: folder, db, keys, revocations, warnings, verdict, stop };
}

const tokenOf = ({ keys }: Node): string => {
  const iat = Math.floor(Date.now() / 1000);
  return keys.signer.sign({ sub: randomUUID(), role: "authenticated", iat, exp: iat + 3_600 });
};

const eventually = (check: () => void) => vi.waitFor(check, { timeout: withinMs, interval: 10 });

describe("with a master key", () => {
  test("A04 nodes on one database have the same keys, whichever was first; two at once too", async () => {
    const nodes = await Promise.all([openNode(), openNode(), openNode()]);
    nodes.push(await openNode());
    const [first] = nodes;
    for (const node of nodes) {
      expect(node.keys.keys).toEqual(first!.keys.keys);
      expect(node.keys.signer.jwks()).toEqual(first!.keys.signer.jwks());
      expect(node.keys.signer.deriveKey("x")).toEqual(first!.keys.signer.deriveKey("x"));
      expect(node.verdict(tokenOf(first!))).toBe("accepted");
      expect(node.warnings).toEqual([]);
    }
    // The folder has them as well: a restart without the database's help is the same node.
    const again = await openIdentity({
      keysDir: nodes[1]!.keysDir,
      settings: readSettings(identitySettings, { env: {} }).values,
      observe: () => {},
      clock: systemClock,
    });
    opened.push(again);
    expect(again.keys).toEqual(first!.keys.keys);
  });

  test("A04 under load, a revoked key is dead on every node in time, and sockets of its tokens are told", async () => {
    const [one, other] = [await openNode(), await openNode()];
    const old = tokenOf(one);
    const told = vi.fn();
    other.revocations.watch(other.keys.identity.verify(old), told);
    let isDone = false;
    let asked = 0;
    const load = (async () => {
      while (!isDone) {
        for (let n = 0; n < 50; n++) other.verdict(old);
        asked += 50;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    expect(other.verdict(old)).toBe("accepted");
    await one.keys.rotate({ revoke: true });
    expect(one.verdict(old)).toBe("identity/token-invalid");
    await eventually(() => expect(other.verdict(old)).toBe("identity/token-invalid"));
    isDone = true;
    await load;
    expect(asked).toBeGreaterThan(0);
    expect(told).toHaveBeenCalledExactlyOnceWith("keys");
    expect(other.verdict(tokenOf(one))).toBe("accepted");
    expect(one.verdict(tokenOf(other))).toBe("accepted");
  });

  test("A04 an ordinary rotation reaches all, ends nothing, and nobody is signed out", async () => {
    const [one, other] = [await openNode(), await openNode()];
    const old = tokenOf(one);
    const told = vi.fn();
    other.revocations.watch(other.keys.identity.verify(old), told);
    await other.keys.rotate();
    const fresh = tokenOf(other);
    await eventually(() => expect(one.verdict(fresh)).toBe("accepted"));
    for (const node of [one, other]) expect(node.verdict(old)).toBe("accepted");
    expect(told).not.toHaveBeenCalled();
  });

  test("A04 a rotation in the keys file by another process, as `mainstay keys rotate` does, reaches all", async () => {
    const [one, other] = [await openNode(), await openNode()];
    const old = tokenOf(one);
    const before = other.keys.keys.publishableKey;
    const command = await openIdentity({
      keysDir: one.keysDir,
      settings: { ...readSettings(identitySettings, { env: {} }).values, keyPollMs: 0 },
      observe: () => {},
      clock: systemClock,
    });
    opened.push(command);
    await command.rotate({ revoke: true, apiKeys: true });
    await eventually(() => {
      for (const node of [one, other]) {
        expect(node.verdict(old)).toBe("identity/token-invalid");
        expect(node.keys.keys).toEqual(command.keys);
        expect(node.verdict(tokenOf(one), before)).toBe("identity/key-unknown");
      }
    });
  });

  test("a command that shares before it rotates needs no running server", async () => {
    const one = await openNode();
    const old = tokenOf(one);
    const settings = { ...readSettings(identitySettings, { env: {} }).values, masterKey, keyPollMs: 0 };
    const command = await openIdentity({
      keysDir: join(dir, randomUUID()),
      settings,
      observe: () => {},
      clock: systemClock,
    });
    opened.push(command);
    await command.share({ database: one.db });
    expect(command.keys).toEqual(one.keys.keys);
    await command.rotate({ revoke: true });
    await eventually(() => expect(one.verdict(old)).toBe("identity/token-invalid"));
  });

  test("of two rotations at once both end with the same keys", async () => {
    const [one, other] = [await openNode(), await openNode()];
    const both = await Promise.allSettled([one.keys.rotate(), other.keys.rotate()]);
    expect(both.filter(({ status }) => status === "fulfilled").length).toBeGreaterThanOrEqual(1);
    for (const result of both) {
      if (result.status === "rejected") expect(result.reason).toMatchObject({ code: "identity/rotated-meanwhile" });
    }
    await eventually(() => expect(one.keys.signer.jwks()).toEqual(other.keys.signer.jwks()));
    expect(one.verdict(tokenOf(other))).toBe("accepted");
  });

  test("a wrong or short one does not start, and changes nothing", async () => {
    const one = await openNode();
    const [row] = (await admin.query("select sealed, revision from mainstay.keyring")).rows;
    await expect(openNode({ masterKey: `${masterKey}!` })).rejects.toMatchObject({ code: "identity/master-key-wrong" });
    await expect(openNode({ masterKey: "short" })).rejects.toMatchObject({ code: "identity/master-key-short" });
    expect((await admin.query("select sealed, revision from mainstay.keyring")).rows).toEqual([row]);
    expect(one.verdict(tokenOf(one))).toBe("accepted");
  });

  test("a dump of the database opens nothing: no key is in it", async () => {
    const one = await openNode();
    const { rows } = await admin.query("select encode(sealed, 'escape') || sealed::text as text from mainstay.keyring");
    const { anonKey, serviceRoleKey, publishableKey, secretKey, jwtSecret } = one.keys.keys;
    for (const secret of [anonKey, serviceRoleKey, publishableKey, secretKey, jwtSecret ?? "never"]) {
      expect(rows[0].text).not.toContain(secret);
      expect(rows[0].text).not.toContain(Buffer.from(secret).toString("hex"));
    }
    const key = sealingKey(masterKey, "keyring");
    const sealed = seal("text", key);
    expect(unseal(sealed, key)).toBe("text");
    expect(unseal(sealed, sealingKey(masterKey, "other"))).toBeNull();
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(unseal(changed, key), String(at)).toBeNull();
    }
    expect(unseal(sealed.subarray(0, 20), key)).toBeNull();
  });
});

describe("without a master key", () => {
  test("A04 a second node with other keys does not start beside the first", async () => {
    const one = await openNode({});
    await expect(openNode({})).rejects.toMatchObject({
      code: "identity/keys-differ",
      hint: expect.stringContaining("MAINSTAY_MASTER_KEY"),
    });
    const same = await openNode({}, one.keysDir);
    expect(same.verdict(tokenOf(one))).toBe("accepted");
    expect(same.warnings).toEqual([]);
  });

  test("after the first has stopped it starts, and says what was lost", async () => {
    const one = await openNode({});
    await one.stop();
    const next = await openNode({});
    expect(next.warnings).toEqual([expect.stringContaining("other keys")]);
    await next.stop();
    expect((await openNode({}, next.keysDir)).warnings).toEqual([]);
  });

  test("nodes that share the secret by settings start; API keys that differ are warned of", async () => {
    const jwtSecret = "0f3b8c6d9e1a47525f60718293a4b5c6d7e8f901";
    const one = await openNode({ jwtSecret });
    const other = await openNode({ jwtSecret });
    expect(other.verdict(tokenOf(one))).toBe("accepted");
    expect(other.verdict(tokenOf(one), one.keys.keys.anonKey)).toBe("accepted");
    expect(other.warnings).toEqual([expect.stringContaining("MAINSTAY_PUBLISHABLE_KEY")]);
    const keys = { publishableKey: "sb_publishable_x", secretKey: "sb_secret_x" };
    await one.stop();
    await other.stop();
    await openNode({ jwtSecret, ...keys });
    expect((await openNode({ jwtSecret, ...keys })).warnings).toEqual([]);
  });

  test("a node that rotates its shared file is not a stranger to the one that starts next", async () => {
    const one = await openNode({});
    await one.keys.rotate({ revoke: true, apiKeys: true });
    expect((await openNode({}, one.keysDir)).warnings).toEqual([]);
  });
});
