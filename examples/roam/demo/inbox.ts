import { until } from "./wait.ts";

/** The mails and text messages of development, as the server at `url` shows them. */
export interface Inbox {
  /** False where there is none: messages of such a server really leave. */
  isOpen(): Promise<boolean>;
  /** The code in the newest mail to `address`. @throws Error when none comes in time */
  codeFor(address: string): Promise<string>;
  /** What the newest mail of this subject to `address` says; `null` while there is none. */
  mailFor(address: string, subject: string): Promise<string | null>;
}

export function openInbox(url: string): Inbox {
  const ask = (query: string) =>
    fetch(new URL(`/inbox/api/messages?${query}`, url), { signal: AbortSignal.timeout(5_000) });
  const newestFor = async (address: string, limit: number) => {
    const reply = await ask(`limit=${limit}&to=${encodeURIComponent(address)}`);
    const { messages } = (await reply.json()) as { messages: { subject: string; text: string }[] };
    return messages;
  };
  return {
    isOpen: () => ask("limit=1").then(({ ok }) => ok),
    async mailFor(address, subject) {
      return (await newestFor(address, 20)).find((mail) => mail.subject === subject)?.text ?? null;
    },
    // Mails leave after the answer that causes them.
    codeFor: (address) =>
      until(`a mail with a code for ${address}`, async () => {
        const [newest] = await newestFor(address, 1);
        return /\b\d{6}\b/.exec(newest?.text ?? "")?.[0];
      }),
  };
}
