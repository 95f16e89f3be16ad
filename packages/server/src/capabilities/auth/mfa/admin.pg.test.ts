import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { claimsOf, outcome, peopleOf } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
beforeAll(async () => {
  auth = await openTestAuth();
  people = peopleOf(auth);
});
afterAll(() => auth.close());

describe("an admin", () => {
  test("lists a user's factors as a plain list", async () => {
    const { user, factor } = await people.withFactor();
    const { status, body } = await auth.admin("GET", `/admin/users/${user.id}/factors`);
    expect([status, body]).toEqual([
      200,
      [
        {
          id: factor.id,
          friendly_name: "phone app",
          factor_type: "totp",
          status: "verified",
          created_at: expect.any(String),
          updated_at: expect.any(String),
          last_challenged_at: expect.any(String),
        },
      ],
    ]);
  });

  test("renames a factor, and gives none a name that is taken", async () => {
    const { user, factor } = await people.withFactor();
    const second = await people.enroll(user.token, "second");
    const path = `/admin/users/${user.id}/factors/${factor.id}`;
    const renamed = await auth.admin("PUT", path, {
      friendly_name: "Work phone",
      status: "unverified",
      user_id: randomUUID(),
    });
    expect([renamed.status, renamed.body]).toMatchObject([200, { friendly_name: "Work phone", status: "verified" }]);
    expect(await outcome(auth.admin("PUT", path, { friendly_name: "second" }))).toEqual([
      422,
      "mfa_factor_name_conflict",
    ]);
    expect(await outcome(auth.admin("PUT", path, { phone: "+491512345678" }))).toBe(200);
    const factors = (await people.get(user.token, "/factors")).body;
    expect(factors.map((one: Record<string, unknown>) => [one.id, one.friendly_name, one.phone])).toEqual([
      [factor.id, "Work phone", undefined],
      [second.id, "second", undefined],
    ]);
  });

  test("A22 takes a lost factor away: all sessions end, and with the last one the recovery codes go", async () => {
    const { user, factor } = await people.withFactor();
    await people.post(user.token, "/factors/recovery-codes");
    const below = await people.signIn(user);
    const gone = await auth.admin("DELETE", `/admin/users/${user.id}/factors/${factor.id}`);
    expect([gone.status, gone.body.id, gone.body.status]).toEqual([200, factor.id, "verified"]);
    expect((await auth.admin("GET", `/admin/users/${user.id}/factors`)).body).toEqual([]);
    for (const one of [user, below]) {
      expect(await outcome(people.get(one.token, "/user"))).toEqual([403, "session_not_found"]);
      expect(await outcome(people.refresh(one.refreshToken))).toEqual([400, "refresh_token_not_found"]);
    }
    // And there is a way on.
    const again = await people.signIn(user);
    expect(claimsOf((await people.raise(again, await people.enroll(again.token))).token).aal).toBe("aal2");
  });

  test("a factor that was never verified goes without a sound", async () => {
    const user = await people.newUser();
    const factor = await people.enroll(user.token);
    expect(await outcome(auth.admin("DELETE", `/admin/users/${user.id}/factors/${factor.id}`))).toBe(200);
    expect(await outcome(people.get(user.token, "/user"))).toBe(200);
    expect(auth.sent.mails.filter(({ to }) => to === user.email)).toEqual([]);
  });

  test("leaves recovery codes while another factor is there", async () => {
    const { user, factor } = await people.withFactor();
    const second = await people.enroll(user.token, "second");
    const raised = await people.raise(user, second);
    await people.post(raised.token, "/factors/recovery-codes");
    await auth.admin("DELETE", `/admin/users/${user.id}/factors/${factor.id}`);
    const left = (await auth.admin("GET", `/admin/users/${user.id}/factors`)).body;
    expect(left.map((one: Record<string, unknown>) => one.factor_type)).toEqual(["totp", "recovery_code"]);
  });

  test("is told what is not there; others are no admins", async () => {
    const { user, factor } = await people.withFactor();
    const stranger = await people.newUser();
    const at = (id: string, fid?: string) => `/admin/users/${id}/factors${fid === undefined ? "" : `/${fid}`}`;
    expect(await outcome(auth.admin("GET", at("x")))).toEqual([404, "validation_failed"]);
    expect(await outcome(auth.admin("GET", at(randomUUID())))).toEqual([404, "user_not_found"]);
    for (const [fid, code] of [
      ["x", "validation_failed"],
      [randomUUID(), "mfa_factor_not_found"],
    ] as const) {
      expect(await outcome(auth.admin("DELETE", at(user.id, fid)))).toEqual([404, code]);
      expect(await outcome(auth.admin("PUT", at(user.id, fid), { friendly_name: "x" }))).toEqual([404, code]);
    }
    expect(await outcome(auth.admin("DELETE", at(stranger.id, factor.id)))).toEqual([404, "mfa_factor_not_found"]);
    expect(await outcome(people.get(user.token, at(user.id)))).toEqual([403, "not_admin"]);
    expect(await outcome(people.remove(user.token, at(user.id, factor.id)))).toEqual([403, "not_admin"]);
    expect((await people.get(user.token, "/factors")).body).toHaveLength(1);
  });
});
