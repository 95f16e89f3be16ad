import { existsSync, readFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { SettingError } from "../../../kernel/settings.ts";
import type { AuthSettings } from "../context.ts";
import { defaultMails } from "./default-mails.ts";
import { isNotice, type MailKind, pascal } from "./kinds.ts";
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

/** Ours. */
export const ownTemplate = (kind: MailKind): MailTemplate => {
  const own = defaultMails[kind];
  return {
    subject: readTemplate(`${kind} subject`, own.subject, "text"),
    html: readTemplate(`${kind}.html`, htmlLayout(own), "html"),
    text: readTemplate(`${kind}.txt`, textLayout(own), "text"),
  };
};

/** Where a template is; `null` for ours. @throws SettingError when a file that a setting names is not there */
export function placeOf(
  kind: MailKind,
  { settings, places }: { readonly settings: AuthSettings; readonly places: TemplatePlaces | null },
): { readonly path: string } | { readonly url: string } | null {
  const named = settings[`mailTemplate${pascal(kind)}`];
  if (named !== null) return /^https?:\/\//i.test(named) ? { url: named } : { path: given(named, places) };
  const path = fileOf(kind, places);
  return path === null ? null : { path };
}

/** @throws SettingError naming file, line and column of what cannot be read */
export function templateOf(kind: MailKind, settings: AuthSettings, source: Source | null): MailTemplate {
  const own = ownTemplate(kind);
  const subject = settings[`mailSubject${pascal(kind)}`];
  return {
    subject: subject === null ? own.subject : read(`subject of ${kind}`, subject, "text"),
    html: source === null ? own.html : read(source.name, source.html, "html"),
    text:
      source === null
        ? own.text
        : source.text === null
          ? null
          : read(textFileOf(source.name) ?? source.name, source.text, "text"),
  };
}

/** What a project says in place of ours. */
export interface Source {
  readonly name: string;
  readonly html: string;
  /** `null` when it says nothing for those who read no HTML. */
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
function fileOf(kind: MailKind, places: TemplatePlaces | null): string | null {
  if (places?.templatesDir == null) return null;
  const names = isNotice(kind) ? [kind, `${kind}_notification`] : [kind];
  return names.map((name) => join(places.templatesDir ?? "", `${name}.html`)).find((path) => existsSync(path)) ?? null;
}

/** The file for those who read no HTML, beside the one of HTML; `null` when that has another ending. */
export const textFileOf = (path: string): string | null =>
  /\.html?$/.test(path) ? path.replace(/\.html?$/, ".txt") : null;

export function fromFile(path: string): Source {
  const text = textFileOf(path);
  return {
    name: path,
    html: readFileSync(path, "utf8"),
    text: text !== null && existsSync(text) ? readFileSync(text, "utf8") : null,
  };
}

/** Supabase's CLI takes some paths from the project's folder and some from `supabase/` in it. */
function given(path: string, places: TemplatePlaces | null): string {
  const base = places?.projectDir ?? ".";
  const candidates = isAbsolute(path) ? [path] : [resolve(base, path), resolve(base, "supabase", path)];
  const found = candidates.find((candidate) => existsSync(candidate));
  if (found === undefined) throw new SettingError(`The mail template ${candidates[0]} is not there.`);
  return found;
}
