import type { Call } from "../../../kernel/route.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import { problems } from "../problems.ts";
import { allowedRedirect } from "../redirects.ts";
import { type Fields, textField } from "../request.ts";
import type { Destination } from "./issue.ts";
import { readChallenge } from "./pkce.ts";

/**
 * Where the caller wants to be led in the end: clients say it in the query, some in the body or a header; a page that says nothing is
 * where it came from. What is not allowed becomes the site URL (threat A15).
 */
export function redirectOf(settings: AuthSettings, call: Call, fields: Fields): string {
  const header = call.headers.redirect_to;
  return allowedRedirect(
    settings,
    new URLSearchParams(call.query).get("redirect_to"),
    textField(fields, "redirect_to"),
    typeof header === "string" ? header : null,
    call.headers.referer,
  );
}

export const destinationOf = (settings: AuthSettings, call: Call, fields: Fields): Destination => ({
  redirectTo: redirectOf(settings, call, fields),
  challenge: readChallenge(fields),
});

/** `sms` when nothing is said. @throws Problem 400 for another channel than these two */
export function channelOf(fields: Fields): AuthSms["channel"] {
  const channel = textField(fields, "channel") || "sms";
  if (channel !== "sms" && channel !== "whatsapp") {
    throw problems.validationFailed("Invalid channel, supported values are 'sms' or 'whatsapp'");
  }
  return channel;
}
