import { auth } from "../problems.ts";

/** What keeps a text message from being sent. */
export const smsProblems = {
  /** No text message goes to this country; the settings `smsAllowedCountries` and `smsDeniedCountries` say which. */
  countryNotAllowed: () => auth("sms_send_failed", 422, "Text messages are not sent to this country"),
};
