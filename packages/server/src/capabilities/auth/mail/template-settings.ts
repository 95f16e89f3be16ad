import { type BooleanSetting, flag, type StringSetting, text } from "../../../kernel/settings.ts";
import type { MailNotice } from "../messages.ts";
import { isNotice, type MailKind, mailKinds, mailNotices, type Pascal, pascal } from "./kinds.ts";

type SubjectSettings = { readonly [K in MailKind as `mailSubject${Pascal<K>}`]: StringSetting<string | null> };
type FileSettings = { readonly [K in MailKind as `mailTemplate${Pascal<K>}`]: StringSetting<string | null> };
type NoticeSettings = { readonly [K in MailNotice as `mailNotice${Pascal<K>}`]: BooleanSetting };

const words = (kind: MailKind): string => kind.replaceAll("_", " ");
/** GoTrue tells a notice from a request by this ending. */
const gotrueName = (kind: MailKind): string => `${kind.toUpperCase()}${isNotice(kind) ? "_NOTIFICATION" : ""}`;

/** For each kind of mail, what its subject and its text are. The assertions say what the names come to. */
export const templateSettings = {
  ...(Object.fromEntries(
    mailKinds.map((kind) => [
      `mailSubject${pascal(kind)}`,
      text<string | null>({
        env: [`MAINSTAY_MAIL_SUBJECT_${kind.toUpperCase()}`, `GOTRUE_MAILER_SUBJECTS_${gotrueName(kind)}`],
        default: null,
        summary: `Subject of mails of the kind ${words(kind)}, as a Go template.`,
      }),
    ]),
  ) as SubjectSettings),
  ...(Object.fromEntries(
    mailKinds.map((kind) => [
      `mailTemplate${pascal(kind)}`,
      text<string | null>({
        env: [`MAINSTAY_MAIL_TEMPLATE_${kind.toUpperCase()}`, `GOTRUE_MAILER_TEMPLATES_${gotrueName(kind)}`],
        default: null,
        summary: `File or URL of the HTML of mails of the kind ${words(kind)}, when it is not \`templates/${kind}.html\`.`,
      }),
    ]),
  ) as FileSettings),
  ...(Object.fromEntries(
    mailNotices.map((kind) => [
      `mailNotice${pascal(kind)}`,
      flag({
        env: [
          `MAINSTAY_MAIL_NOTICE_${kind.toUpperCase()}`,
          `GOTRUE_MAILER_NOTIFICATIONS_${kind.toUpperCase()}_ENABLED`,
        ],
        default: true,
        summary: `Whether people are told by mail of this: ${words(kind)}.`,
      }),
    ]),
  ) as NoticeSettings),
};
