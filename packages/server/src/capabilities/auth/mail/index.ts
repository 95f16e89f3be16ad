export { createAppMails } from "./app-mails.ts";
export { defaultMailTemplates, openMailTemplates } from "./open-templates.ts";
export { createMessages, type WaysOut } from "./service.ts";
export type { MailTemplates } from "./template-places.ts";
