import { expect } from "vitest";
import type { TestAuth, TestReply } from "../testing.ts";
import { totpCode, totpStep } from "./totp.ts";

const password = "correct horse";
let count = 0;

export interface SignedIn {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly session: string;
}

export interface Totp {
  readonly id: string;
  readonly secret: string;
}

export const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

/** The methods of a token, newest first. */
export const methodsOf = (token: string): string[] =>
  claimsOf(token).amr.map(({ method }: { method: string }) => method);

export function held({ status, body }: TestReply): SignedIn {
  expect([status, body.msg]).toEqual([200, undefined]);
  return {
    id: body.user.id,
    email: body.user.email,
    token: body.access_token,
    refreshToken: body.refresh_token,
    session: claimsOf(body.access_token).session_id,
  };
}

/** Status, and the code of a refusal. */
export const outcome = async (reply: TestReply | Promise<TestReply>): Promise<unknown> => {
  const { status, body } = await reply;
  return status < 300 ? status : [status, body.error_code];
};

/** Reads base32 as an authenticator app does. */
const bytesOf = (secret: string): Buffer => {
  const bits = [...secret].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  return Buffer.from(
    bits
      .join("")
      .match(/.{8}/g)!
      .map((byte) => Number.parseInt(byte, 2)),
  );
};

/** What people and their apps do with second factors, on one server. */
export function peopleOf(auth: TestAuth) {
  const post = (token: string, path: string, body?: unknown, address?: string) =>
    auth.send("POST", path, {
      token,
      ...(body === undefined ? {} : { body }),
      ...(address === undefined ? {} : { address }),
    });
  const people = {
    newUser: async (): Promise<SignedIn> => {
      const email = `someone${++count}@example.com`;
      return held(await auth.send("POST", "/signup", { body: { email, password } }));
    },
    signIn: async ({ email }: SignedIn): Promise<SignedIn> =>
      held(await auth.send("POST", "/token?grant_type=password", { body: { email, password } })),
    refresh: (refreshToken: string) =>
      auth.send("POST", "/token?grant_type=refresh_token", { body: { refresh_token: refreshToken } }),
    post,
    remove: (token: string, path: string) => auth.send("DELETE", path, { token }),
    get: (token: string, path: string) => auth.send("GET", path, { token }),
    /** The code an app shows now, or so many steps away. */
    code: ({ secret }: Totp, away = 0) => totpCode(bytesOf(secret), totpStep(auth.clock.ms) + away),
    /** Time passes, so that the app shows another code: each is for one use. */
    nextStep: () => {
      auth.clock.ms += 30_000;
    },
    enroll: async (token: string, friendlyName?: string): Promise<Totp> => {
      const { status, body } = await post(token, "/factors", { factor_type: "totp", friendly_name: friendlyName });
      expect([status, body.msg]).toEqual([200, undefined]);
      return { id: body.id, secret: body.totp.secret };
    },
    challenge: async (token: string, factor: { readonly id: string }): Promise<string> => {
      const { status, body } = await post(token, `/factors/${factor.id}/challenge`);
      expect([status, body.msg]).toEqual([200, undefined]);
      return body.id;
    },
    verify: (token: string, factor: { readonly id: string }, challenge: string, code: string, address?: string) =>
      post(token, `/factors/${factor.id}/verify`, { challenge_id: challenge, code }, address),
    /** Challenge and verification in one, with the code the app shows next. */
    raise: async (who: { readonly token: string }, factor: Totp): Promise<SignedIn> => {
      people.nextStep();
      const challenge = await people.challenge(who.token, factor);
      return held(await people.verify(who.token, factor, challenge, people.code(factor)));
    },
    /** Somebody with an authenticator app, in the session that verified it. */
    withFactor: async (): Promise<{ readonly user: SignedIn; readonly factor: Totp }> => {
      const fresh = await people.newUser();
      const factor = await people.enroll(fresh.token, "phone app");
      return { user: await people.raise(fresh, factor), factor };
    },
  };
  return people;
}
