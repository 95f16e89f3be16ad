import { statSync } from "node:fs";
import { reasonOf } from "../../../kernel/reason.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { AuthSettings } from "../context.ts";
import { type MailKind, mailKinds } from "./kinds.ts";
import {
  fromFile,
  type MailTemplate,
  type MailTemplates,
  placeOf,
  type TemplatePlaces,
  templateOf,
  textFileOf,
} from "./template-places.ts";

interface Needs {
  readonly settings: AuthSettings;
  readonly places: TemplatePlaces | null;
  readonly observe: Observe;
}

/**
 * Templates that are read again when their files have changed, at the moment a mail is written: whoever works on one sees it in the
 * next mail. One that cannot be read is told once per change, and the last one that could is used. What a URL gave stays.
 */
export function followFiles(opened: MailTemplates, needs: Needs): MailTemplates {
  const followed = mailKinds.map((kind) => [kind, { enumerable: true, get: follow(kind, opened[kind], needs) }]);
  // Every kind is in the list it is made of.
  return Object.defineProperties({}, Object.fromEntries(followed)) as MailTemplates;
}

function follow(kind: MailKind, opened: MailTemplate, needs: Needs): () => MailTemplate {
  let good = opened;
  let seen = stampOf(kind, needs);
  return () => {
    // Before the file is read: what is written to it meanwhile is another change.
    const stamp = stampOf(kind, needs);
    if (stamp === seen) return good;
    seen = stamp;
    try {
      const place = placeOf(kind, needs);
      if (place === null || "path" in place) {
        good = templateOf(kind, needs.settings, place === null ? null : fromFile(place.path));
      }
    } catch (error) {
      const why = reasonOf(error);
      needs.observe({ kind: "warning", area: "mail", message: `${why} Mails are written as before.` });
    }
    return good;
  };
}

/** What is another one after each change of the template's files. */
function stampOf(kind: MailKind, needs: Needs): string {
  let path: string;
  try {
    const place = placeOf(kind, needs);
    if (place === null || "url" in place) return "";
    path = place.path;
  } catch {
    return "missing";
  }
  return [path, textFileOf(path)].map(fileStamp).join("\n");
}

function fileStamp(path: string | null): string {
  const file = path === null ? undefined : statSync(path, { throwIfNoEntry: false });
  return file === undefined ? "" : `${path} ${file.ino} ${file.mtimeMs} ${file.size}`;
}
