import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type BootedApp, type BootOptions, boot } from "@mainstay/testing";

type Settings = NonNullable<BootOptions["settings"]>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
  /** `error_code` of a refusal, in either shape. */
  readonly code: string | null;
}

export interface Request {
  /** Anything but a text is sent as JSON. */
  readonly body?: unknown;
  /** A user's, or whatever is to be tried as one. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A message as it came to somebody's mailbox or phone. */
export interface Received {
  readonly id: string;
  readonly kind: "mail" | "sms";
  readonly to: string;
  readonly subject: string;
  /** The code to type in. */
  readonly otp: string;
  /** The link's query: `token`, `type`, `redirect_to`; of a mail without a link, empty. */
  readonly link: URLSearchParams;
  /** Subject, text and HTML, or the text message. */
  readonly whole: string;
  readonly html: string;
}

/** Somebody who is signed in. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
}

/** Where a server is, and its keys. */
export type Target = Pick<BootedApp, "url" | "publishableKey" | "secretKey" | "serviceRoleKey">;

export type AuthServer = BootedApp & AuthClient;

/** What clients of the auth API do. */
export interface AuthClient {
  /** Every answer so far. */
  readonly replies: readonly (Reply & { readonly asked: string })[];
  /** A request below `/auth/v1`, with the publishable key. Redirects are answers. */
  ask(method: string, path: string, request?: Request): Promise<Reply>;
  post(path: string, body: unknown, token?: string): Promise<Reply>;
  /** With the service key, as a backend has it. */
  admin(method: string, path: string, body?: unknown): Promise<Reply>;
  /** The next message with a code or a link that came to an address and was not fetched before; waits for it. */
  received(to: string): Promise<Received>;
  /** As `received`: the next message that only tells something. */
  notice(to: string): Promise<Received>;
  /** Somebody new with a password and a confirmed address, signed in. */
  newPerson(email?: string): Promise<Person>;
  signIn(person: Pick<Person, "email" | "password">): Promise<Person>;
}

let count = 0;
const run = randomUUID().slice(0, 8);
export const newEmail = (): string => `person${++count}-${run}@example.com`;
export const newPhone = (): string => `1555${String(3_000_000 + ++count)}`;

/** Quick, and as an app is in production otherwise: addresses are confirmed. The inbox is everybody's mailbox. */
const usual = {
  inbox: "on",
  rateLimits: false,
  mailerAutoconfirm: false,
  phoneEnabled: true,
  anonymousEnabled: true,
  manualLinkingEnabled: true,
  mfaPhoneEnroll: true,
  mfaPhoneVerify: true,
  passkeysEnabled: true,
  codeAnswerMs: 0,
  mailMinIntervalSeconds: 0,
  smsMinIntervalSeconds: 0,
  smsBudgetNumber: 0,
  smsBudgetCountry: 0,
  smsBudgetProject: 0,
  hashMemoryKib: 7_168,
  hashPasses: 1,
  hashQueueLimit: 1_000,
  siteUrl: "https://app.example.com",
} as const;

/** Boots a server, with clients for it. */
export async function startAuth(settings: Settings = {}): Promise<AuthServer> {
  const app = await boot({
    settings: {
      ...settings,
      auth: { ...usual, ...settings.auth },
      outbox: { outboxPollMs: 100, ...settings.outbox },
    },
  });
  return { ...app, ...authClient(app) };
}

const patienceMs = 30_000;

export function authClient(app: Target): AuthClient {
  const replies: (Reply & { asked: string })[] = [];
  const fetched = new Set<string>();
  const messagesTo = async (to: string): Promise<Record<string, string>[]> => {
    const query = new URLSearchParams({ to, limit: "500" });
    const reply = await fetch(`${app.url}/inbox/api/messages?${query}`);
    return ((await reply.json()) as { messages: Record<string, string>[] }).messages;
  };
  const whole = async (id: string): Promise<Record<string, string>> =>
    (await (await fetch(`${app.url}/inbox/api/messages/${id}`)).json()) as Record<string, string>;
  const send = async (method: string, path: string, headers: Record<string, string>, given: unknown) => {
    const isRaw = typeof given === "string";
    const reply = await fetch(`${app.url}/auth/v1${path}`, {
      method,
      redirect: "manual",
      headers: { ...(given === undefined || isRaw ? {} : { "content-type": "application/json" }), ...headers },
      ...(given === undefined ? {} : { body: isRaw ? given : JSON.stringify(given) }),
    });
    const text = await reply.text();
    const body = parse(text);
    const code = reply.headers.get("x-sb-error-code");
    const answer: Reply = { status: reply.status, headers: reply.headers, text, body, code };
    replies.push({ ...answer, asked: `${method} ${path}` });
    return answer;
  };
  const ask: AuthClient["ask"] = (method, path, { body, token, headers } = {}) =>
    send(
      method,
      path,
      {
        apikey: app.publishableKey,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...headers,
      },
      body,
    );
  const post: AuthClient["post"] = (path, body, token) => ask("POST", path, { body, token });
  const signIn: AuthClient["signIn"] = async ({ email, password }) => {
    const reply = await post("/token?grant_type=password", { email, password });
    if (reply.status !== 200) throw new Error(`${email} cannot sign in: ${reply.text}`);
    return personOf(reply, email, password);
  };
  const next = async (to: string, isWanted: (message: Received) => boolean): Promise<Received> => {
    const until = Date.now() + patienceMs;
    for (;;) {
      for (const { id = "" } of (await messagesTo(to)).toReversed()) {
        if (fetched.has(id)) continue;
        const message = readMessage(await whole(id));
        if (!isWanted(message)) continue;
        fetched.add(id);
        return message;
      }
      if (Date.now() > until) throw new Error(`No message came to ${to}.`);
      await sleep(20);
    }
  };
  return {
    replies,
    ask,
    post,
    admin: (method, path, body) =>
      send(method, path, { apikey: app.secretKey, authorization: `Bearer ${app.serviceRoleKey}` }, body),
    received: (to) => next(to, opensSomething),
    notice: (to) => next(to, (message) => !opensSomething(message)),
    signIn,
    async newPerson(email = newEmail()) {
      const password = `correct horse ${randomUUID().slice(0, 8)}`;
      const reply = await send(
        "POST",
        "/admin/users",
        { apikey: app.secretKey, authorization: `Bearer ${app.serviceRoleKey}` },
        { email, password, email_confirm: true },
      );
      if (reply.status !== 200) throw new Error(`${email} cannot be made: ${reply.text}`);
      return signIn({ email: reply.body.email, password });
    },
  };
}

export const personOf = ({ body }: Reply, email: string, password = ""): Person => ({
  id: body.user.id,
  email,
  password,
  token: body.access_token,
  refreshToken: body.refresh_token,
});

const opensSomething = ({ otp, link }: Received): boolean => otp !== "" || link.has("token");

function readMessage(message: Record<string, string>): Received {
  const whole = [message.subject, message.text, message.html, message.body].filter(Boolean).join("\n");
  const link = /https?:\/\/[^\s"'<>]+\/verify\?([^\s"'<>]+)/.exec(message.text ?? "");
  return {
    id: message.id ?? "",
    kind: message.kind === "sms" ? "sms" : "mail",
    to: message.to ?? "",
    subject: message.subject ?? "",
    otp: /(?<![\w/=-])\d{6}(?![\w/=-])/.exec(message.text ?? message.body ?? "")?.[0] ?? "",
    link: new URLSearchParams(link?.[1] ?? ""),
    whole,
    html: message.html ?? "",
  };
}

function parse(text: string): Reply["body"] {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

/** What an authenticator app shows (RFC 6238), so many steps of 30 s from now. */
export function totpCode(secret: string, stepsAway = 0): string {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsAway));
  const mac = createHmac("sha1", key).update(counter).digest();
  const number = mac.readUInt32BE((mac.at(-1) ?? 0) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** The same call so many times at once. */
export const atOnce = <T>(width: number, call: (at: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: width }, (_, at) => call(at)));
