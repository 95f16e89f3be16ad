import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readSettings, SettingError } from "../../../kernel/settings.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import { authSettings } from "../settings.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { countVerifiedSms, createSmsBudget, type SmsBudget, withinBudget } from "./index.ts";

let auth: TestAuth;

beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());
beforeEach(async () => {
  await auth.sql("delete from mainstay.sms_budget");
  auth.seen.length = 0;
});

const settingsWith = (given: Partial<AuthSettings>): AuthSettings => ({
  ...readSettings(authSettings, { env: {} }).values,
  smsBudgetNumber: 0,
  smsBudgetCountry: 0,
  smsBudgetProject: 0,
  smsConversionMinPercent: 0,
  ...given,
});
const budgetOf = (given: Partial<AuthSettings>): SmsBudget =>
  createSmsBudget({
    settings: settingsWith(given),
    signer: auth.identity.signer,
    observe: (one) => auth.seen.push(one),
  });

/** One message in a transaction of its own, as flows do. */
const take = (budget: SmsBudget, phone: string): Promise<void> => auth.db.transaction((tx) => budget.take(tx, phone));
const refusal = (budget: SmsBudget, phone: string): Promise<unknown> =>
  take(budget, phone).then(
    () => null,
    (error: unknown) => error,
  );
const cameBack = (phone: string): Promise<void> =>
  countVerifiedSms(
    { db: auth.db, settings: settingsWith({ smsConversionMinPercent: 1 }), observe: () => {}, clock: auth.clock },
    phone,
  );
const rows = () => auth.sql("select scope, key, sent, verified from mainstay.sms_budget order by scope, key");
const usedUp = { code: "auth/over_sms_send_rate_limit", status: 429 };
const [german, otherGerman, american] = ["4915112345678", "4915187654321", "16019839224"];

describe("the budget", () => {
  test("of a number, of a country, of the project is for the day, and says when that is over", async () => {
    for (const [given, within, beyond, free] of [
      [{ smsBudgetNumber: 2 }, [german, german], german, otherGerman],
      [{ smsBudgetCountry: 2 }, [german, otherGerman], german, american],
      [{ smsBudgetProject: 2 }, [german, american], otherGerman, null],
    ] as const) {
      await auth.sql("delete from mainstay.sms_budget");
      const budget = budgetOf(given);
      for (const phone of within) await take(budget, phone);
      const error = (await refusal(budget, beyond)) as { headers: Record<string, string> };
      expect(error).toMatchObject(usedUp);
      const seconds = Number(error.headers["Retry-After"]);
      const untilMidnight = Math.ceil((new Date().setUTCHours(24, 0, 0, 0) - Date.now()) / 1000);
      expect(Math.abs(seconds - untilMidnight)).toBeLessThanOrEqual(2);
      if (free !== null) await take(budget, free);

      await auth.sql("update mainstay.sms_budget set day = day - 1");
      await take(budget, beyond);
    }
  });

  test("counts nothing that was refused or rolled back", async () => {
    const budget = budgetOf({ smsBudgetNumber: 1, smsBudgetCountry: 9, smsBudgetProject: 9 });
    await take(budget, german);
    const before = await rows();
    for (let at = 0; at < 3; at++) expect(await refusal(budget, german)).toMatchObject(usedUp);
    const failed = auth.db.transaction(async (tx) => {
      await budget.take(tx, american);
      throw new Error("the code was not stored");
    });
    await expect(failed).rejects.toThrow("the code was not stored");
    expect(await rows()).toEqual(before);
  });

  test("A12 is one for all nodes, whoever asks at the same time, and no message is lost to it", async () => {
    const given = { smsBudgetNumber: 7, smsBudgetCountry: 20, smsBudgetProject: 30 };
    const nodes = [budgetOf(given), budgetOf(given)];
    const all = await Promise.allSettled(Array.from({ length: 50 }, (_, at) => take(nodes[at % 2]!, german)));
    expect(all.filter(({ status }) => status === "fulfilled")).toHaveLength(7);
    for (const one of all) if (one.status === "rejected") expect(one.reason).toMatchObject(usedUp);
    const others = Array.from({ length: 50 }, (_, at) => `49151000000${10 + at}`);
    const spread = await Promise.allSettled(others.map((phone, at) => take(nodes[at % 2]!, phone)));
    expect(spread.filter(({ status }) => status === "fulfilled")).toHaveLength(13);
    const abroad = Array.from({ length: 50 }, (_, at) => `1601983${1000 + at}`);
    const rest = await Promise.allSettled(abroad.map((phone, at) => take(nodes[at % 2]!, phone)));
    expect(rest.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
  });

  test("is told when it is used up, once", async () => {
    const budget = budgetOf({ smsBudgetCountry: 2, smsBudgetProject: 3 });
    for (const phone of [german, german, american]) await take(budget, phone);
    await refusal(budget, german);
    await refusal(budget, american);
    expect(auth.seen).toEqual([
      { kind: "warning", area: "auth", message: "today's 2 text messages to DE are used up" },
      { kind: "warning", area: "auth", message: "today's 3 text messages of the project are used up" },
    ]);
  });

  test("keeps no number that could be read", async () => {
    await take(budgetOf({ smsBudgetNumber: 5 }), german);
    const [row] = await rows();
    expect(row).toMatchObject({ scope: "number", sent: 1 });
    expect(row?.key).toMatch(/^[\w-]{43}$/);
  });

  test("forgets what is long ago", async () => {
    const budget = budgetOf({ smsBudgetProject: 5 });
    await take(budget, german);
    await auth.sql("update mainstay.sms_budget set day = day - 31");
    await auth.sql(
      "insert into mainstay.sms_budget values ((now() at time zone 'utc')::date - 29, 'country', 'DE', 4)",
    );
    await take(budget, german);
    expect(await rows()).toEqual([
      { scope: "country", key: "DE", sent: 4, verified: 0 },
      { scope: "project", key: "", sent: 1, verified: 0 },
    ]);
  });

  test("is off where limits are", async () => {
    const budget = budgetOf({ rateLimits: false, smsBudgetNumber: 1 });
    for (let at = 0; at < 3; at++) await take(budget, german);
    expect(await rows()).toEqual([]);
  });
});

describe("countries", () => {
  const notAllowed = { code: "auth/sms_send_failed", status: 422 };

  test("that are denied, or not among the allowed ones, get none", async () => {
    const denying = budgetOf({ smsDeniedCountries: ["us"], smsBudgetProject: 9 });
    expect(await refusal(denying, american)).toMatchObject(notAllowed);
    await take(denying, german);
    const allowing = budgetOf({ smsAllowedCountries: ["US"] });
    expect(await refusal(allowing, german)).toMatchObject(notAllowed);
    await take(allowing, american);
    expect(await rows()).toEqual([{ scope: "project", key: "", sent: 1, verified: 0 }]);
  });

  test("there are none behind satellites and premium services, unless asked for", async () => {
    expect(await refusal(budgetOf({}), "881612345678")).toMatchObject(notAllowed);
    await take(budgetOf({ smsDeniedCountries: [] }), "881612345678");
  });

  test("of the settings must exist", () => {
    expect(() => budgetOf({ smsAllowedCountries: ["GER"] })).toThrow(SettingError);
    expect(() => budgetOf({ smsDeniedCountries: ["+49"] })).toThrow(SettingError);
  });
});

describe("a country whose codes never come back", () => {
  const given = { smsConversionMinPercent: 50, smsConversionAfter: 4 };

  test("gets no more, while others do; it goes on when they come back", async () => {
    const budget = budgetOf(given);
    for (let at = 0; at < 4; at++) await take(budget, german);
    expect(await refusal(budget, german)).toMatchObject(usedUp);
    expect(auth.seen).toEqual([
      { kind: "warning", area: "auth", message: "of 4 codes sent to DE 0 came back: it pauses until more do" },
    ]);
    await take(budget, american);
    await cameBack(german);
    expect(await refusal(budget, german)).toMatchObject(usedUp);
    await cameBack(otherGerman);
    await take(budget, german);
    expect(await rows()).toContainEqual({ scope: "country", key: "DE", sent: 5, verified: 2 });
  });

  test("that cannot be counted turns nobody away, and is not counted where nobody asks", async () => {
    const away = { ...auth.db, query: () => Promise.reject(new Error("away")) };
    const observe = (one: Observation) => void auth.seen.push(one);
    await countVerifiedSms({ db: away, settings: settingsWith(given), observe, clock: auth.clock }, german);
    expect(auth.seen).toMatchObject([{ kind: "warning", message: "a code that came back was not counted: away" }]);
    await countVerifiedSms(
      { db: away, settings: settingsWith({ smsConversionMinPercent: 0 }), observe, clock: auth.clock },
      german,
    );
    expect(auth.seen).toHaveLength(1);
  });

  test("is not spoken for by a number with a fixed code, to which nothing was sent", async () => {
    const settings = settingsWith({
      ...given,
      smsTestOtp: [`${otherGerman}=123456`],
      smsTestOtpValidUntil: new Date(Date.now() + 86_400_000).toISOString(),
    });
    await take(budgetOf(given), german);
    await countVerifiedSms({ db: auth.db, settings, observe: () => {}, clock: auth.clock }, otherGerman);
    expect(await rows()).toMatchObject([{ sent: 1, verified: 0 }]);
    await countVerifiedSms({ db: auth.db, settings, observe: () => {}, clock: auth.clock }, german);
    expect(await rows()).toMatchObject([{ sent: 1, verified: 1 }]);
  });

  test("is judged by two days, and never by a code that nobody sent", async () => {
    const budget = budgetOf(given);
    await cameBack(german);
    expect(await rows()).toEqual([]);
    for (let at = 0; at < 4; at++) await take(budget, german);
    await auth.sql("update mainstay.sms_budget set day = day - 1");
    expect(await refusal(budget, german)).toMatchObject(usedUp);
    await auth.sql("update mainstay.sms_budget set day = day - 1");
    await take(budget, german);
  });
});

describe("messages", () => {
  const sms = (to: string): AuthSms => ({ purpose: "sms", to, otp: "123456", channel: "sms", user: null });

  test("within the budget leave; to a number with a fixed code none leaves and none counts", async () => {
    const settings = settingsWith({
      smsBudgetNumber: 1,
      smsTestOtp: [`${american}=123456`],
      smsTestOtpValidUntil: new Date(Date.now() + 86_400_000).toISOString(),
    });
    const sent: string[] = [];
    const messages = withinBudget(
      {
        mail: async () => {},
        async sms(_tx, { to }) {
          sent.push(to);
          return "id";
        },
      },
      {
        budget: createSmsBudget({ settings, signer: auth.identity.signer, observe: () => {} }),
        settings,
        clock: auth.clock,
      },
    );
    const send = (to: string) => auth.db.transaction((tx) => messages.sms(tx, sms(to)));
    expect(await send(german)).toBe("id");
    await expect(send(german)).rejects.toMatchObject(usedUp);
    expect([await send(american), await send(american)]).toEqual(["test-otp", "test-otp"]);
    expect(sent).toEqual([german]);
  });

  test("with fixed codes and no end keep the server from starting", () => {
    expect(() => auth.with({ smsTestOtp: [`${american}=123456`] })).toThrow(SettingError);
  });
});

test("nobody but the server sees the counts", async () => {
  await auth.sql("insert into mainstay.sms_budget values (current_date, 'project', '', 1)");
  for (const role of ["anon", "authenticated", "service_role"]) {
    await auth.sql("begin");
    await auth.sql(`set local role ${role}`);
    await expect(auth.sql("select * from mainstay.sms_budget")).rejects.toThrow(/permission denied/);
    await auth.sql("rollback");
  }
});
