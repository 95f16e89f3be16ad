import type { AuthSettings } from "../context.ts";
import type { OutgoingMail } from "../ports.ts";
import { appNameOf } from "./data.ts";

/** What all mails of the server have: its sender, an id that is the same at every try, and that a machine has written it. */
export function envelopeOf(id: string, settings: AuthSettings): Pick<OutgoingMail, "from" | "messageId" | "headers"> {
  const address = settings.mailFrom ?? `no-reply@${hostOf(settings.publicUrl)}`;
  return {
    from: { address, name: appNameOf(settings) },
    messageId: `<${id}@${address.slice(address.lastIndexOf("@") + 1)}>`,
    // Nobody's absence note should answer it (RFC 3834 §5).
    headers: { "Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All" },
  };
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : "localhost");
