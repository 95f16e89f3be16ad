import { expect, test } from "vitest";
import { readSettings } from "../../../../kernel/settings.ts";
import type { Json } from "../../../../platform/jobs/types.ts";
import type { Queryable } from "../../../../platform/postgres/database.ts";
import type { FunctionMail } from "../../ports.ts";
import type { Invocation } from "../../types.ts";
import { mailServices } from "./index.ts";
import { mailSettings } from "./settings.ts";

const outside = {} as Queryable;
const inside = {} as Queryable;
const mail = { to: "ada@example.com", subject: "Hello", text: "You." };

function open({ canLeave = true, ...settings }: { canLeave?: boolean; functionsMailsPerMinute?: number } = {}) {
  const kept: { readonly tx: Queryable; readonly mail: FunctionMail }[] = [];
  const services = mailServices({
    db: outside,
    mails: {
      canLeave,
      async put(tx, mail) {
        kept.push({ tx, mail });
        return `id-${kept.length}`;
      },
    },
    transactions: {
      join(handle) {
        if (handle !== "mine") throw new Error("not open");
        return inside;
      },
    },
    settings: { ...readSettings(mailSettings, { env: { MAINSTAY_FUNCTIONS_MAIL_BYTES: "2000" } }).values, ...settings },
  });
  const ask = (name: string, ...args: readonly Json[]) => services[name]!(args, {} as Invocation);
  return { kept, ask };
}

test("a mail is kept by itself, or in the transaction that was named", async () => {
  const { ask, kept } = open();
  const whole = { to: mail.to, subject: mail.subject, text: null, html: "<p>You.</p>", replyTo: "bob@example.com" };
  expect(await ask("mail.send", mail)).toEqual({ id: "id-1" });
  expect(await ask("tx.mail", "mine", { ...whole, text: null })).toEqual({ id: "id-2" });
  await expect(ask("tx.mail", "another's", mail)).rejects.toThrow("not open");
  expect(kept.map(({ mail }) => mail)).toEqual([{ ...mail, html: null, replyTo: null }, whole]);
  expect(kept.map(({ tx }) => tx === inside)).toEqual([false, true]);
});

test.each<[what: string, change: Record<string, Json>]>([
  ["no address", { to: null }],
  ["two addresses", { to: "ada@example.com, eve@example.com" }],
  ["a name beside the address", { to: "Ada <ada@example.com>" }],
  ["another command in the address", { to: "ada@example.com\r\nRCPT TO:<eve@example.com>" }],
  ["an address that is none", { to: "ada" }],
  ["a list", { to: ["ada@example.com"] }],
  ["an address longer than one may be", { to: `${"a".repeat(250)}@example.com` }],
  ["no subject", { subject: "" }],
  ["another header in the subject", { subject: "Hello\nBcc: eve@example.com" }],
  ["a subject of 251 characters", { subject: "x".repeat(251) }],
  ["nothing to say", { text: null }],
  ["answers to two", { replyTo: "a@example.com,b@example.com" }],
  ["a copy to somebody", { cc: "eve@example.com" }],
  ["a sender of its own", { from: "bank@example.com" }],
])("%s is refused, and nothing is kept", async (_what, change) => {
  const { ask, kept } = open();
  await expect(ask("mail.send", { ...mail, ...change })).rejects.toMatchObject({ code: "functions/invalid-argument" });
  expect(kept).toEqual([]);
});

test.each<[what: string, args: readonly Json[]]>([
  ["nothing", []],
  ["a text", ["hello"]],
  ["null", [null]],
])("%s is no mail", async (_what, args) => {
  await expect(open().ask("mail.send", ...args)).rejects.toMatchObject({ code: "functions/invalid-argument" });
});

test("what is too large is refused by its bytes, whichever part has them", async () => {
  const { ask, kept } = open();
  const half = "é".repeat(490);
  for (const large of [{ text: "x".repeat(2_000) }, { text: half, html: half + half }])
    await expect(ask("mail.send", { ...mail, ...large })).rejects.toMatchObject({ code: "functions/mail-too-large" });
  await ask("mail.send", { ...mail, text: half, html: half });
  expect(kept).toHaveLength(1);
});

test("X12 a loop is stopped, and told so; what was refused for another reason does not count", async () => {
  const { ask, kept } = open({ functionsMailsPerMinute: 2 });
  await ask("mail.send", { ...mail, to: "nobody" }).catch(() => {});
  const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => ask("mail.send", mail)));
  expect(outcomes.map((one) => (one.status === "rejected" ? one.reason.code : "kept"))).toEqual([
    "kept",
    "kept",
    "functions/too-many-mails",
    "functions/too-many-mails",
  ]);
  expect(kept).toHaveLength(2);
});

test("where no mail can leave a function is told, rather than left to believe that it did", async () => {
  const { ask, kept } = open({ canLeave: false });
  await expect(ask("mail.send", mail)).rejects.toMatchObject({ code: "functions/no-mail-server", status: 503 });
  expect(kept).toEqual([]);
});
