import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MailTransport, OutgoingMail } from "../../capabilities/auth/ports.ts";
import { SettingError } from "../../kernel/settings.ts";
import { DeliveryError } from "../../platform/outbox/index.ts";
import { checkMailServer, type SmtpSettings, smtpTransport } from "./index.ts";
import { openTestSmtpServer, type TestSmtpServer } from "./test-server.ts";

const mail: OutgoingMail = {
  to: "ada@example.com",
  from: { address: "no-reply@app.example", name: "Röam, Inc." },
  subject: "Grüße: 123456",
  html: "<p>Hello <b>Ada</b></p>",
  text: "Hello Ada\n.\n..dots",
  messageId: "<0b6f@app.example>",
  headers: { "Auto-Submitted": "auto-generated" },
};

let server: TestSmtpServer;
const transports: MailTransport[] = [];

const withDefaults = (settings: Partial<SmtpSettings>): SmtpSettings => ({
  smtpHost: "127.0.0.1",
  smtpPort: server.port,
  smtpUser: null,
  smtpPassword: null,
  smtpTls: "auto",
  smtpConnections: 2,
  smtpTimeoutMs: 400,
  mailFrom: "no-reply@app.example",
  ...settings,
});

function transport(settings: Partial<SmtpSettings> = {}): MailTransport {
  const made = smtpTransport(withDefaults(settings));
  if (made === null) throw new Error("there is a host");
  transports.push(made);
  return made;
}

const failure = async (work: Promise<unknown>): Promise<DeliveryError> => {
  const error = await work.then(
    () => new Error("it was taken"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(DeliveryError);
  return error as DeliveryError;
};

beforeEach(async () => {
  server = await openTestSmtpServer({ hasTls: true, login: { user: "app", password: "s3cret" } });
});
afterEach(async () => {
  for (const one of transports.splice(0)) await one.close();
  await server.close();
});

describe("smtp", () => {
  it("hands a mail over whole: sender, text and HTML, our Message-ID, encrypted where it is offered", async () => {
    await transport({ smtpUser: "app", smtpPassword: "s3cret" }).send(mail);
    const [taken] = server.mails;
    expect(taken).toMatchObject({
      from: "no-reply@app.example",
      to: ["ada@example.com"],
      isEncrypted: true,
      login: "app",
    });
    expect(taken?.data).toContain("Message-ID: <0b6f@app.example>");
    expect(taken?.data).toContain("Auto-Submitted: auto-generated");
    expect(taken?.data).toMatch(/multipart\/alternative/);
    expect(taken?.data).toContain("<p>Hello <b>Ada</b></p>");
    expect(taken?.data).toMatch(/Subject: =\?UTF-8\?/i);
    expect(server.lines.slice(server.lines.indexOf("STARTTLS")).some((line) => line.startsWith("AUTH"))).toBe(true);
  });

  it.each([
    ["421 4.3.2 closing", "MAIL", { isFinal: false, isProviderDown: true }],
    ["450 4.2.1 busy", "RCPT", { isFinal: false, isProviderDown: false }],
    ["452 4.2.2 full", "RCPT", { isFinal: false, isProviderDown: false }],
    ["550 5.1.1 nobody", "RCPT", { isFinal: true, isProviderDown: false }],
    ["550 5.7.1 not you", "MAIL", { isFinal: false }],
    ["554 5.7.1 spam", ".", { isFinal: true }],
    ["451 4.3.0 later", ".", { isFinal: false, isProviderDown: false }],
    ["554 no service", "CONNECT", { isFinal: false, isProviderDown: true }],
    ["drop", "RCPT", { isFinal: false, isProviderDown: true }],
    ["drop", ".", { isFinal: false, isProviderDown: true }],
    ["hang", "DATA", { isFinal: false, isProviderDown: true }],
    ["hang", "CONNECT", { isFinal: false, isProviderDown: true }],
  ])("says what %s to %s means, keeps the address to itself, and sends the next one", async (fault, verb, meaning) => {
    server.faults[verb] = [fault];
    const sender = transport({ smtpConnections: 1 });
    const error = await failure(sender.send(mail));
    expect(error).toMatchObject(meaning);
    expect(error.message).not.toContain("ada@example.com");
    expect(server.mails).toEqual([]);
    await sender.send(mail);
    expect(server.mails).toHaveLength(1);
  });

  it("takes a refused login for the provider's trouble, and does not tell the password", async () => {
    const error = await failure(transport({ smtpUser: "app", smtpPassword: "wrong-one" }).send(mail));
    expect(error).toMatchObject({ isFinal: false, isProviderDown: true });
    expect(error.message).not.toContain("wrong-one");
    expect(server.mails).toEqual([]);
  });

  it("sends nothing in the clear where encryption is asked for, not even the login", async () => {
    await server.close();
    server = await openTestSmtpServer({ hasTls: false, login: { user: "app", password: "s3cret" } });
    const error = await failure(transport({ smtpTls: "starttls", smtpUser: "app", smtpPassword: "s3cret" }).send(mail));
    expect(error).toMatchObject({ isFinal: false, isProviderDown: true });
    expect(server.lines.some((line) => /^(AUTH|MAIL)/.test(line))).toBe(false);
  });

  it("refuses addresses and headers with anything in them that begins another", async () => {
    const sender = transport();
    const evil: Partial<OutgoingMail>[] = [
      { to: "ada@example.com\r\nRCPT TO:<eve@example.com>" },
      { to: "ada@example.com,eve@example.com" },
      { to: "<eve@example.com> ada@example.com" },
      { to: '"eve@example.com,"@example.com' },
      { to: "ada@example.com\u2028" },
      { subject: "Hi\r\nBcc: eve@example.com" },
      { subject: "Hi\u0000" },
      { from: { address: "no-reply@app.example", name: "App\nBcc: eve@example.com" } },
      { from: { address: "no-reply@app.example>\r\nRCPT TO:<eve@example.com", name: "" } },
      { messageId: "<a@b>\r\nBcc: eve@example.com" },
      { headers: { "X-A": "b\r\nBcc: eve@example.com" } },
      { headers: { "X-A: b\r\nBcc": "eve@example.com" } },
    ];
    for (const part of evil) {
      expect(await failure(sender.send({ ...mail, ...part }))).toMatchObject({ isFinal: true });
    }
    expect(server.lines).toEqual([]);
  });

  it("keeps quotes and commas of a name inside the name", async () => {
    await transport().send({ ...mail, from: { address: "no-reply@app.example", name: 'Eve" <eve@evil.example>, x' } });
    const header = /^From: .*(?:\r\n\s.*)*/m.exec(server.mails[0]!.data)?.[0] ?? "";
    expect(header).toMatch(/<no-reply@app\.example>$/);
    expect(server.mails[0]?.to).toEqual(["ada@example.com"]);
  });

  it("sends a mail whose lines begin with dots, or look like commands, as it is", async () => {
    await transport().send({ ...mail, text: ".\r\n.\r\nMAIL FROM:<eve@example.com>\r\n" });
    expect(server.mails).toHaveLength(1);
    expect(server.lines.filter((line) => line.startsWith("MAIL"))).toHaveLength(1);
  });

  it("is nothing without a host, and refuses to begin without a sender or with a password in the clear", () => {
    const settings = {
      smtpHost: "mail.example.com",
      smtpPort: 587,
      smtpUser: "app",
      smtpPassword: "s3cret",
      smtpTls: "auto",
      smtpConnections: 1,
      smtpTimeoutMs: 400,
      mailFrom: "a@b.example",
    } as const;
    expect(smtpTransport({ ...settings, smtpHost: null })).toBeNull();
    expect(() => smtpTransport({ ...settings, mailFrom: null })).toThrow(SettingError);
    expect(() => smtpTransport({ ...settings, mailFrom: "App <a@b.example>" })).toThrow(SettingError);
    expect(() => smtpTransport({ ...settings, smtpTls: "none" })).toThrow(SettingError);
  });
});

describe("a look at the mail server", () => {
  it("logs in and sends nothing", async () => {
    const login = { smtpUser: "app", smtpPassword: "s3cret" };
    expect(await checkMailServer(withDefaults(login))).toBeNull();
    expect(server.lines.some((line) => line.startsWith("AUTH"))).toBe(true);
    expect(server.mails).toEqual([]);
  });

  it("says what is wrong, and not the password", async () => {
    const said = await checkMailServer(withDefaults({ smtpUser: "app", smtpPassword: "wrong-one" }));
    expect(said).toMatch(/refused the login/);
    expect(said).not.toContain("wrong-one");
    await server.close();
    expect(await checkMailServer(withDefaults({}))).toMatch(/cannot be reached/);
  });

  it("has nothing to say where none is set", async () => {
    expect(await checkMailServer(withDefaults({ smtpHost: null }))).toBeNull();
  });
});
