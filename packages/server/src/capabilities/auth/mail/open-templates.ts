import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { SettingError } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { outboundRequest } from "../../../platform/outbound/index.ts";
import type { AuthSettings } from "../context.ts";
import { defaultMails } from "./default-mails.ts";
import { isNotice, type MailKind, mailKinds, pascal } from "./kinds.ts";
import { htmlLayout, textLayout } from "./layout.ts";
import { readTemplate, type Template, TemplateError } from "./templates/index.ts";

/** How one kind of mail is written. */
export interface MailTemplate {
  readonly subject: Template;
  readonly html: Template;
  /** `null` where it is made of the HTML. */
  readonly text: Template | null;
}

export type MailTemplates = Readonly<Record<MailKind, MailTemplate>>;

/** Where a project keeps what its mails say. */
export interface TemplatePlaces {
  readonly projectDir: string;
  /** `templates/` or `supabase/templates/`; `null` when there is none. */
  readonly templatesDir: string | null;
}

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
}): Promise<MailTemplates> {
  const opened = await Promise.all(mailKinds.map(async (kind) => [kind, await openOne(kind, needs)] as const));
  // Every kind is in the list it is made of.
  return Object.fromEntries(opened) as MailTemplates;
}

/** Ours alone. */
export const defaultMailTemplates = (): MailTemplates =>
  Object.fromEntries(mailKinds.map((kind) => [kind, ownTemplate(kind)])) as MailTemplates;

const ownTemplate = (kind: MailKind): MailTemplate => {
  const own = defaultMails[kind];
  return {
    subject: readTemplate(`${kind} subject`, own.subject, "text"),
    html: readTemplate(`${kind}.html`, htmlLayout(own), "html"),
    text: readTemplate(`${kind}.txt`, textLayout(own), "text"),
  };
};

async function openOne(kind: MailKind, needs: Parameters<typeof openMailTemplates>[0]): Promise<MailTemplate> {
  const { settings, places, observe } = needs;
  const own = ownTemplate(kind);
  const subject = settings[`mailSubject${pascal(kind)}`];
  const named = settings[`mailTemplate${pascal(kind)}`];
  const source =
    named === null
      ? fileOf(kind, places)
      : /^https?:\/\//i.test(named)
        ? await fetched(named, kind, observe)
        : given(named, places);
  return {
    subject: subject === null ? own.subject : read(`subject of ${kind}`, subject, "text"),
    html: source === null ? own.html : read(source.name, source.html, "html"),
    text: source === null ? own.text : source.text === null ? null : read(source.name, source.text, "text"),
  };
}

interface Source {
  readonly name: string;
  readonly html: string;
  readonly text: string | null;
}

function read(name: string, text: string, mode: "text" | "html"): Template {
  try {
    return readTemplate(name, text, mode);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new SettingError(`The mail template ${error.message}.`, { cause: error });
  }
}

/** `password_changed.html`, or as Supabase's examples name it, `password_changed_notification.html`. */
function fileOf(kind: MailKind, places: TemplatePlaces | null): Source | null {
  if (places?.templatesDir == null) return null;
  const names = isNotice(kind) ? [kind, `${kind}_notification`] : [kind];
  const found = names.map((name) => join(places.templatesDir ?? "", `${name}.html`)).find((path) => existsSync(path));
  return found === undefined ? null : fromFile(found);
}

function fromFile(path: string): Source {
  const text = path.replace(/\.html?$/, ".txt");
  return {
    name: path,
    html: readFileSync(path, "utf8"),
    text: text !== path && existsSync(text) ? readFileSync(text, "utf8") : null,
  };
}

/** Supabase's CLI takes some paths from the project's folder and some from `supabase/` in it. */
function given(path: string, places: TemplatePlaces | null): Source {
  const base = places?.projectDir ?? ".";
  const candidates = isAbsolute(path) ? [path] : [resolve(base, path), resolve(base, "supabase", path)];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) throw new SettingError(`The mail template ${candidates[0]} is not there.`);
  return fromFile(found);
}

async function fetched(url: string, kind: MailKind, observe: Observe): Promise<Source | null> {
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
    const why = error instanceof Error ? error.message : String(error);
    observe({
      kind: "warning",
      area: "mail",
      message: `The template of ${kind} mails at ${url} could not be read (${why}): ours is used until the next start.`,
    });
    return null;
  }
}
