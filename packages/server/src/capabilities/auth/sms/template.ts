import { SettingError } from "../../../kernel/settings.ts";
import { readTemplate, TemplateError } from "../mail/templates/index.ts";

/** Writes the text around a code. @throws TemplateError when that grows too long */
export type WriteSms = (otp: string) => string;

/**
 * The text of a message, from a Go template that names the code `.Code`, as GoTrue's do.
 * @throws SettingError when it cannot be read, or has no code in it
 */
export function smsTemplate(source: string): WriteSms {
  try {
    const template = readTemplate("smsTemplate", source, "text");
    const write: WriteSms = (otp) => template.render({ Code: otp });
    if (!write("0123456789").includes("0123456789")) {
      throw new SettingError("smsTemplate must have {{ .Code }} in it: without it a message says nothing.");
    }
    return write;
  } catch (error) {
    throw error instanceof TemplateError ? new SettingError(error.message, { cause: error }) : error;
  }
}
