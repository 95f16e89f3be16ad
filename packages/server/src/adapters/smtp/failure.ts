import { DeliveryError } from "../../platform/outbox/index.ts";

/** What nodemailer says went wrong: its own code, the server's (RFC 5321 §4.2), and the command that it answered. */
interface SmtpFailure {
  readonly code?: string;
  readonly responseCode?: number;
  readonly command?: string;
  readonly response?: string;
}

/**
 * What a failure means. 5xx to the mail or its recipient is for good; 421, a refused login and an unreachable server concern
 * every mail; anything else may pass. Servers' words are left out where they repeat the address.
 */
export function failureOf(error: unknown): DeliveryError {
  const { code, responseCode, command = "" } = error as SmtpFailure;
  const where = command === "" ? "" : ` to ${command.split(" ", 1)[0]}`;
  if (code === "EAUTH") {
    return new DeliveryError(`The mail server refused the login${said(responseCode)}.`, {
      cause: error,
      isProviderDown: true,
    });
  }
  if (code === "ETLS") {
    return new DeliveryError("The mail server offers no encryption that can be used.", {
      cause: error,
      isProviderDown: true,
    });
  }
  if (responseCode === undefined) {
    return new DeliveryError(`The mail server cannot be reached${code === undefined ? "" : ` (${code})`}.`, {
      cause: error,
      isProviderDown: true,
    });
  }
  const message = `The mail server answered ${responseCode}${where}.`;
  const isAboutMail = code === "EENVELOPE" || code === "EMESSAGE";
  if (responseCode >= 500 && isAboutMail && !/^MAIL/i.test(command)) {
    return new DeliveryError(message, { cause: error, isFinal: true });
  }
  return new DeliveryError(message, { cause: error, isProviderDown: responseCode === 421 || !isAboutMail });
}

const said = (responseCode: number | undefined): string => (responseCode === undefined ? "" : ` (${responseCode})`);
