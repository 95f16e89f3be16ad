export { defaultMailTemplates, type MailTemplates, openMailTemplates } from "./open-templates.ts";
export { createMessages, type WaysOut } from "./service.ts";
