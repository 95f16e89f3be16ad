/** The mails and text messages of development, as the server at `url` shows them. */
export interface Inbox {
  /** False where there is none: messages of such a server really leave. */
  isOpen(): Promise<boolean>;
  /** The code in the newest mail to `address`. @throws Error when there is no such mail */
  codeFor(address: string): Promise<string>;
}

export function openInbox(url: string): Inbox {
  const ask = (query: string) =>
    fetch(new URL(`/inbox/api/messages?${query}`, url), { signal: AbortSignal.timeout(5_000) });
  return {
    isOpen: () => ask("limit=1").then(({ ok }) => ok),
    async codeFor(address) {
      const reply = await ask(`limit=1&to=${encodeURIComponent(address)}`);
      const { messages } = (await reply.json()) as { messages: { text: string }[] };
      const code = /\b\d{6}\b/.exec(messages[0]?.text ?? "")?.[0];
      if (code === undefined) throw new Error(`there should be a mail with a code for ${address}`);
      return code;
    },
  };
}
