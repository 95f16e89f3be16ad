import { expect } from "vitest";

/** A mail as its reader sees it. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** What to type in; `""` when there is nothing. */
  readonly code: string;
  /** Where the button leads; `""` when there is none. */
  readonly link: string;
}

/** The inbox of development, through its JSON interface. */
export interface Inbox {
  /** The newest mail of a kind to an address. @param count How many of the kind have to be there: what came before is not the answer */
  mail(to: string, template: string, count?: number): Promise<Mail>;
  /** The code of the newest text message to a number. */
  smsCode(to: string, count?: number): Promise<string>;
  /** Kinds of all messages to somebody, oldest first. */
  kindsTo(to: string): Promise<readonly string[]>;
}

interface Message {
  readonly id: string;
  readonly kind: "mail" | "sms";
  readonly template?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly body?: string;
}

export function openInbox(url: string): Inbox {
  const get = async <T>(path: string): Promise<T> => {
    const response = await fetch(`${url}/inbox/api/messages${path}`);
    expect(response.status).toBe(200);
    return (await response.json()) as T;
  };
  const list = async (to: string, kind?: string): Promise<readonly Message[]> => {
    const query = new URLSearchParams({ to, ...(kind === undefined ? {} : { kind }) });
    return (await get<{ messages: Message[] }>(`?${query}`)).messages;
  };
  const newest = async (to: string, kind: string, count: number): Promise<Message> => {
    await expect
      .poll(async () => (await list(to, kind)).length, { message: `${kind} to ${to}` })
      .toBeGreaterThanOrEqual(count);
    const [message] = await list(to, kind);
    return get<Message>(`/${message?.id}`);
  };
  return {
    async mail(to, template, count = 1) {
      const { subject = "", text = "", html = "" } = await newest(to, template, count);
      const [, href = ""] = /href="([^"]*\/auth\/v1\/verify\?[^"]*)"/.exec(html) ?? [];
      return { subject, text, html, code: /\b\d{6}\b/.exec(text)?.[0] ?? "", link: href.replaceAll("&amp;", "&") };
    },
    async smsCode(to, count = 1) {
      const { body = "" } = await newest(to, "sms", count);
      return /\b\d{6}\b/.exec(body)?.[0] ?? "";
    },
    kindsTo: async (to) => (await list(to)).map(({ kind, template }) => template ?? kind).toReversed(),
  };
}

/** What a person does with a link: opens it and, when asked, presses the button. @returns where the browser is sent */
export async function press(link: string): Promise<URL> {
  const opened = await fetch(link, { redirect: "manual" });
  if (opened.status === 303) return new URL(opened.headers.get("location") ?? "");
  expect([opened.status, opened.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  const page = await opened.text();
  const [, action = ""] = /<form method="post" action="([^"]*)">/.exec(page) ?? [];
  const fields = [...page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(
    ([, name = "", value = ""]): [string, string] => [name, value.replaceAll("&amp;", "&")],
  );
  const pressed = await fetch(new URL(action, link), {
    method: "POST",
    body: new URLSearchParams(fields),
    redirect: "manual",
  });
  expect(pressed.status).toBe(303);
  return new URL(pressed.headers.get("location") ?? "");
}

/** What an app reads from the URL it was opened with. */
export const fragmentOf = (url: URL): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(url.hash.slice(1)));
