import { expect, it } from "vitest";
import { commands } from "./commands/index.ts";
import { mainstay } from "./testing.ts";

const subcommands: Readonly<Record<string, readonly string[]>> = {
  migrate: ["up", "status", "new", "check"],
  keys: ["show", "rotate"],
  db: ["url", "psql"],
  config: ["show"],
  functions: ["new", "list", "check", "run", "logs"],
  jobs: ["list", "show", "retry", "cancel", "queues", "pause", "resume"],
  schedules: ["list"],
  webhooks: ["list", "deliveries", "replay", "test", "secret"],
  user: ["list", "create", "import", "ban", "unban", "sessions", "delete"],
};

const calls = [[], ...commands.flatMap(({ name }) => [[name], ...(subcommands[name] ?? []).map((sub) => [name, sub])])];

it.each(calls.map((call) => [call.join(" ") || "(nothing)", call] as const))("explains %s", async (_, call) => {
  const { code, out, err } = await mainstay([...call, "--help"]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  await expect(out).toMatchFileSnapshot(`./__snapshots__/help/${call.join("-") || "mainstay"}.txt`);
});

it("gives help for nothing at all, and for `help`", async () => {
  const { out: asked } = await mainstay(["--help"]);
  expect(await mainstay([])).toEqual({ code: 0, out: asked, err: "" });
  expect(await mainstay(["help"])).toEqual({ code: 0, out: asked, err: "" });
  const { out: ofKeys } = await mainstay(["keys", "--help"]);
  expect(await mainstay(["help", "keys"])).toEqual({ code: 0, out: ofKeys, err: "" });
});

it("ends with 2 when it is called wrongly, and says how it is meant", async () => {
  expect(await mainstay(["migrat"])).toMatchObject({
    code: 2,
    out: "",
    err: expect.stringContaining("Did you mean migrate"),
  });
  expect(await mainstay(["dev", "--prot", "1"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("Did you mean --port"),
  });
  expect(await mainstay(["start", "--port", "70000"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("from 0 to 65535"),
  });
  expect(await mainstay(["migrate", "new"])).toMatchObject({ code: 2 });
  expect(await mainstay(["types", "--lang", "cobol"])).toMatchObject({ code: 2 });
});

it("has no colours where there is no terminal, unless they are forced", async () => {
  const plain = await mainstay(["doctor", "--dir", "/nowhere"]);
  expect(plain.out).not.toContain("\x1b[");
  const forced = await mainstay(["doctor", "--dir", "/nowhere"], { env: { FORCE_COLOR: "1" } });
  expect(forced.out).toContain("\x1b[");
  const refused = await mainstay(["doctor", "--dir", "/nowhere"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
  expect(refused.out).not.toContain("\x1b[");
});
