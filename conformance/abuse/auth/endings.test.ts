import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Entrance, nameOf, ownEntrances } from "./entrances.ts";
import { type AuthServer, type Person, startAuth, totpCode } from "./server.ts";

/** Threat A22: what ends a session, against every entrance that asks for one. */
let auth: AuthServer;
beforeAll(async () => {
  auth = await startAuth({ auth: { sessionTimeboxSeconds: 3_600 } });
});
afterAll(() => auth.stop());

/** Somebody with two devices: what happens on one, or to the account, must reach the other. */
interface Devices {
  readonly here: Person;
  readonly there: Person;
}

const own = (method: string, path: string, body?: unknown) => (devices: Devices) =>
  auth.ask(method, path, { token: devices.here.token, body: typeof body === "function" ? body(devices) : body });
const admin = (method: string, path: string, body?: unknown) => (devices: Devices) =>
  auth.admin(method, `/admin/users/${devices.there.id}${path}`, body);

const sessionId = ({ token }: Person): string =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()).session_id;

const endings: readonly (readonly [
  what: string,
  end: (devices: Devices) => Promise<{ readonly status: number }>,
  code: string,
])[] = [
  ["a new password", own("PUT", "/user", { password: "another horse 8" }), "session_not_found"],
  ["a new password, by an admin", admin("PUT", "", { password: "another horse 8" }), "session_not_found"],
  ["a sign-out everywhere", own("POST", "/logout?scope=global"), "session_not_found"],
  ["a sign-out of the others", own("POST", "/logout?scope=others"), "session_not_found"],
  [
    "the end of this one, from another device",
    (devices) => auth.ask("DELETE", `/user/sessions/${sessionId(devices.there)}`, { token: devices.here.token }),
    "session_not_found",
  ],
  [
    "the end of this one, by an admin",
    (devices) => auth.admin("DELETE", `/admin/users/${devices.there.id}/sessions/${sessionId(devices.there)}`),
    "session_not_found",
  ],
  ["the end of all, by an admin", admin("DELETE", "/sessions"), "session_not_found"],
  ["another role", admin("PUT", "", { role: "editor" }), "session_not_found"],
  ["a ban", admin("PUT", "", { ban_duration: "1h" }), "user_banned"],
  ["a deletion", admin("DELETE", ""), "user_not_found"],
  ["a deletion that keeps the row", admin("DELETE", "", { should_soft_delete: true }), "user_not_found"],
  [
    "a deletion by oneself",
    own("DELETE", "/user", (devices: Devices) => ({ password: devices.here.password })),
    "user_not_found",
  ],
  [
    "a refresh token that was used by somebody else",
    async ({ there }) => {
      const first = await auth.post("/token?grant_type=refresh_token", { refresh_token: there.refreshToken });
      const second = await auth.post("/token?grant_type=refresh_token", { refresh_token: first.body.refresh_token });
      await auth.post("/token?grant_type=refresh_token", { refresh_token: second.body.refresh_token });
      await auth.sql("update auth.sessions set refreshed_at = now() - interval '1 minute' where id = $1", [
        sessionId(there),
      ]);
      const stolen = await auth.post("/token?grant_type=refresh_token", { refresh_token: there.refreshToken });
      return { status: stolen.code === "refresh_token_already_used" ? 200 : 500 };
    },
    "session_not_found",
  ],
  [
    "the end of its time",
    async ({ there }) => {
      await auth.sql("update auth.sessions set not_after = now() - interval '1 second' where id = $1", [
        sessionId(there),
      ]);
      return { status: 200 };
    },
    "session_expired",
  ],
];

describe("A22 a session that was ended", () => {
  test.each(endings)("A22 %s: is out at every entrance, and does not come back", async (_what, end, code) => {
    const here = await auth.newPerson();
    const there = await auth.signIn(here);
    expect((await auth.ask("GET", "/user", { token: there.token })).status).toBe(200);
    const { status } = await end({ here, there });
    expect([200, 204]).toContain(status);
    const codes = new Map<string, readonly unknown[]>();
    for (const entrance of ownEntrances) {
      const reply = await auth.ask(entrance.method, entrance.path, {
        token: there.token,
        body: bodyOf(entrance, there),
      });
      codes.set(nameOf(entrance), [reply.status, reply.code]);
    }
    const expected = new Map(ownEntrances.map((entrance) => [nameOf(entrance), [403, code]]));
    expect(codes).toEqual(expected);
    const link = await auth.ask("POST", "/token?grant_type=id_token", {
      token: there.token,
      body: { provider: "google", id_token: "x", link_identity: true },
    });
    expect([link.status, link.code]).toEqual([403, code]);
    const refreshed = await auth.post("/token?grant_type=refresh_token", { refresh_token: there.refreshToken });
    expect(refreshed.status).toBe(400);
    expect(await auth.sql("select 1 from auth.mfa_factors where user_id = $1", [there.id])).toEqual([]);
  });

  test("A22 A23 a second factor taken away: what it had raised is out, whoever takes it", async () => {
    for (const isAdmin of [false, true]) {
      const person = await auth.newPerson();
      const { body: factor } = await auth.post("/factors", { factor_type: "totp" }, person.token);
      const raise = async (token: string, step: number) => {
        const { body } = await auth.post(`/factors/${factor.id}/challenge`, {}, token);
        const code = totpCode(factor.totp.secret, step);
        return auth.post(`/factors/${factor.id}/verify`, { challenge_id: body.id, code }, token);
      };
      const here = await raise(person.token, -1);
      const there = await raise((await auth.signIn(person)).token, 0);
      expect([here.status, there.status]).toEqual([200, 200]);
      const ended = isAdmin
        ? await auth.admin("DELETE", `/admin/users/${person.id}/factors/${factor.id}`)
        : await auth.ask("DELETE", `/factors/${factor.id}`, { token: here.body.access_token });
      expect(ended.status).toBe(200);
      for (const entrance of ownEntrances) {
        const reply = await auth.ask(entrance.method, entrance.path, {
          token: there.body.access_token,
          body: entrance.body,
        });
        expect.soft([reply.status, reply.code], nameOf(entrance)).toEqual([403, "session_not_found"]);
      }
      const again = await auth.post("/token?grant_type=refresh_token", { refresh_token: there.body.refresh_token });
      expect(again.status).toBe(400);
    }
  });
});

/** With the right password where one is asked for: so that the session is all that is wrong. */
function bodyOf({ path, body }: Entrance, { password }: Person): unknown {
  return path === "/user/export" || (path === "/user" && body !== undefined && "password" in (body as object))
    ? body === undefined
      ? undefined
      : { password }
    : body;
}
