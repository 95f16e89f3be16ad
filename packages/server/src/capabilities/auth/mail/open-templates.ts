import { reasonOf } from "../../../kernel/reason.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { outboundRequest } from "../../../platform/outbound/index.ts";
import type { AuthSettings } from "../context.ts";
import { followFiles } from "./follow-files.ts";
import { type MailKind, mailKinds } from "./kinds.ts";
import {
  fromFile,
  type MailTemplate,
  type MailTemplates,
  ownTemplate,
  placeOf,
  type Source,
  type TemplatePlaces,
  templateOf,
} from "./template-places.ts";

/** How long a template's server may take, in ms, and what it may send, in bytes. */
const fetchTimeoutMs = 5_000;
const fetchMaxBytes = 262_144;

/**
 * Reads every template once. A project's own take precedence: the file or URL a setting names, else `templates/<kind>.html`
 * (with `templates/<kind>.txt` beside it for those who read no HTML), else ours.
 * @throws SettingError naming file, line and column of what is wrong: better at the start than in the first mail. A URL that
 *   does not answer is told, and ours is sent: that server may start after us.
 */
export async function openMailTemplates(needs: {
  readonly settings: AuthSettings;
  readonly places: TemplatePlaces | null;
  readonly observe: Observe;
  /** Whether files that are edited count from the next mail on, as they do for whoever works on them. */
  readonly followsFiles?: boolean;
}): Promise<MailTemplates> {
  const opened = await Promise.all(mailKinds.map(async (kind) => [kind, await openOne(kind, needs)] as const));
  // Every kind is in the list it is made of.
  const templates = Object.fromEntries(opened) as MailTemplates;
  return needs.followsFiles ? followFiles(templates, needs) : templates;
}

/** Ours alone. */
export const defaultMailTemplates = (): MailTemplates =>
  Object.fromEntries(mailKinds.map((kind) => [kind, ownTemplate(kind)])) as MailTemplates;

async function openOne(kind: MailKind, needs: Parameters<typeof openMailTemplates>[0]): Promise<MailTemplate> {
  const place = placeOf(kind, needs);
  const source = place === null ? null : "path" in place ? fromFile(place.path) : await fetched(place.url, kind, needs);
  return templateOf(kind, needs.settings, source);
}

async function fetched(
  url: string,
  kind: MailKind,
  { observe }: { readonly observe: Observe },
): Promise<Source | null> {
  try {
    const { status, body } = await outboundRequest(url, {
      method: "GET",
      headers: { Accept: "text/html" },
      timeoutMs: fetchTimeoutMs,
      maxBytes: fetchMaxBytes,
    });
    if (status === 200) return { name: url, html: body.toString("utf8"), text: null };
    throw new Error(`it answered ${status}`);
  } catch (error) {
    const why = reasonOf(error);
    observe({
      kind: "warning",
      area: "mail",
      message: `The template of ${kind} mails at ${url} could not be read (${why}): ours is used until the next start.`,
    });
    return null;
  }
}
