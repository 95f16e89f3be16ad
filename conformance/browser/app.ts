import { type BootedApp, type BootOptions, boot, freePort } from "@mainstay/testing";
import { expect } from "vitest";
import { openSite, type Site } from "./site.ts";

/** A mail as the inbox has it. */
export interface Mail {
  readonly id: string;
  readonly subject: string;
  readonly html: string;
  readonly text: string;
}

/** A server in development, an app's website beside it, and the mailboxes of everybody. */
export interface AppWithMail extends BootedApp {
  readonly site: Site;
  /** Waits for the newest mail of this kind to somebody. @param kind As templates are named: `confirmation`, `magic_link` … */
  mailTo(address: string, kind: string): Promise<Mail>;
  /** The link of that mail. */
  linkTo(address: string, kind: string): Promise<string>;
}

/** Boots with an inbox, addresses to be confirmed, and a site URL that is the site's. */
export async function bootWithMail(options: BootOptions = {}): Promise<AppWithMail> {
  const [site, port] = await Promise.all([openSite(), freePort()]);
  const app = await boot({
    ...options,
    settings: {
      ...options.settings,
      // Links in mails name the port, so it is known before.
      http: { port, ...options.settings?.http },
      auth: {
        inbox: "on",
        mailFromName: "Roam",
        mailerAutoconfirm: false,
        mailMinIntervalSeconds: 0,
        codeAnswerMs: 0,
        rateLimits: false,
        siteUrl: site.origin,
        ...options.settings?.auth,
      },
    },
  }).catch(async (error: unknown) => {
    await site.stop();
    throw error;
  });
  site.connect(app);

  const ask = async (path: string): Promise<unknown> => (await fetch(`${app.url}/inbox/api/messages${path}`)).json();
  const mailTo = async (address: string, kind: string): Promise<Mail> => {
    const query = `?${new URLSearchParams({ to: address, kind })}`;
    // The inbox's own API says what is in there.
    const find = async () => ((await ask(query)) as { messages: Mail[] }).messages[0]?.id;
    await expect.poll(find, { message: `a ${kind} mail to ${address}`, interval: 50 }).toBeDefined();
    return (await ask(`/${await find()}`)) as Mail;
  };
  return {
    ...app,
    site,
    mailTo,
    async linkTo(address, kind) {
      const { text } = await mailTo(address, kind);
      const link = /^https?:\/\/\S+\/auth\/v1\/verify\?\S+$/m.exec(text)?.[0];
      expect(link, `the link of the ${kind} mail to ${address}`).toBeDefined();
      return link as string;
    },
    async stop() {
      await app.stop();
      await site.stop();
    },
  };
}
