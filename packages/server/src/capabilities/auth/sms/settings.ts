import { integer, list, type Settings, text } from "../../../kernel/settings.ts";

export type SmsProvider = "twilio" | "vonage" | "messagebird" | "textlocal" | "webhook";

/** Text messages: who sends them, what they say, and how many there may be. */
export const smsSettings = {
  smsProvider: text<SmsProvider | null>({
    env: ["MAINSTAY_SMS_PROVIDER", "GOTRUE_SMS_PROVIDER"],
    default: null,
    choices: ["twilio", "vonage", "messagebird", "textlocal", "webhook"],
    summary: "Who sends text messages.",
  }),
  smsTemplate: text<string>({
    env: ["MAINSTAY_SMS_TEMPLATE", "GOTRUE_SMS_TEMPLATE"],
    default: "Your code is {{ .Code }}",
    summary: "What a text message with a code says, as a Go template.",
  }),
  smsTimeoutMs: integer<number>({
    env: ["MAINSTAY_SMS_TIMEOUT_MS"],
    default: 10_000,
    unit: "ms",
    min: 100,
    max: 60_000,
    summary: "Longest wait for the one who sends text messages, per message.",
  }),
  smsTestOtp: list({
    env: ["MAINSTAY_SMS_TEST_OTP", "GOTRUE_SMS_TEST_OTP"],
    default: [],
    summary:
      "Numbers with a fixed code, as phone=code, for those who review the app in a store. Nothing is ever sent to them.",
  }),
  smsTestOtpValidUntil: text<string | null>({
    env: ["MAINSTAY_SMS_TEST_OTP_VALID_UNTIL", "GOTRUE_SMS_TEST_OTP_VALID_UNTIL"],
    default: null,
    summary:
      "When the fixed codes end, as a date or an RFC 3339 time, at most a year ahead. Needed when there are any.",
  }),
  smsUrl: text<string | null>({
    env: ["MAINSTAY_SMS_URL"],
    default: null,
    summary:
      "Where text messages are handed over: the webhook's address, or another base address of the provider's API.",
  }),
  smsWebhookSecret: text<string | null>({
    env: ["MAINSTAY_SMS_WEBHOOK_SECRET"],
    default: null,
    isSecret: true,
    summary: "Signs what the webhook gets (Standard Webhooks), as v1,whsec_ and Base64; several divided by `|`.",
  }),
  smsTwilioAccountSid: text<string | null>({
    env: ["MAINSTAY_SMS_TWILIO_ACCOUNT_SID", "GOTRUE_SMS_TWILIO_ACCOUNT_SID"],
    default: null,
    summary: "Twilio: the account.",
  }),
  smsTwilioAuthToken: text<string | null>({
    env: ["MAINSTAY_SMS_TWILIO_AUTH_TOKEN", "GOTRUE_SMS_TWILIO_AUTH_TOKEN"],
    default: null,
    isSecret: true,
    summary: "Twilio: the account's token.",
  }),
  smsTwilioSender: text<string | null>({
    env: ["MAINSTAY_SMS_TWILIO_SENDER", "GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID"],
    default: null,
    summary: "Twilio: the messaging service (MG…), a number of yours with +, or a sender name.",
  }),
  smsTwilioContentSid: text<string | null>({
    env: ["MAINSTAY_SMS_TWILIO_CONTENT_SID", "GOTRUE_SMS_TWILIO_CONTENT_SID"],
    default: null,
    summary: "Twilio: the content template (HX…) that WhatsApp asks for; its variable 1 is the code.",
  }),
  smsVonageApiKey: text<string | null>({
    env: ["MAINSTAY_SMS_VONAGE_API_KEY", "GOTRUE_SMS_VONAGE_API_KEY"],
    default: null,
    summary: "Vonage: the API key.",
  }),
  smsVonageApiSecret: text<string | null>({
    env: ["MAINSTAY_SMS_VONAGE_API_SECRET", "GOTRUE_SMS_VONAGE_API_SECRET"],
    default: null,
    isSecret: true,
    summary: "Vonage: the API secret.",
  }),
  smsVonageFrom: text<string | null>({
    env: ["MAINSTAY_SMS_VONAGE_FROM", "GOTRUE_SMS_VONAGE_FROM"],
    default: null,
    summary: "Vonage: the sender's number or name.",
  }),
  smsMessagebirdAccessKey: text<string | null>({
    env: ["MAINSTAY_SMS_MESSAGEBIRD_ACCESS_KEY", "GOTRUE_SMS_MESSAGEBIRD_ACCESS_KEY"],
    default: null,
    isSecret: true,
    summary: "MessageBird: the access key.",
  }),
  smsMessagebirdOriginator: text<string | null>({
    env: ["MAINSTAY_SMS_MESSAGEBIRD_ORIGINATOR", "GOTRUE_SMS_MESSAGEBIRD_ORIGINATOR"],
    default: null,
    summary: "MessageBird: the sender's number or name.",
  }),
  smsTextlocalApiKey: text<string | null>({
    env: ["MAINSTAY_SMS_TEXTLOCAL_API_KEY", "GOTRUE_SMS_TEXTLOCAL_API_KEY"],
    default: null,
    isSecret: true,
    summary: "Textlocal: the API key.",
  }),
  smsTextlocalSender: text<string | null>({
    env: ["MAINSTAY_SMS_TEXTLOCAL_SENDER", "GOTRUE_SMS_TEXTLOCAL_SENDER"],
    default: null,
    summary: "Textlocal: the sender's name.",
  }),
  smsAllowedCountries: list({
    env: ["MAINSTAY_SMS_ALLOWED_COUNTRIES"],
    default: [],
    summary: "The only countries text messages go to, as ISO 3166 codes (DE, US); all when empty.",
  }),
  smsDeniedCountries: list({
    env: ["MAINSTAY_SMS_DENIED_COUNTRIES"],
    default: ["001"],
    summary:
      "Countries no text message goes to, as ISO 3166 codes; 001 is the networks of no country, where a message is dearest.",
  }),
  smsBudgetNumber: integer<number>({
    env: ["MAINSTAY_SMS_BUDGET_NUMBER"],
    default: 10,
    unit: "messages",
    min: 0,
    summary: "Text messages to one number in a day (UTC), 0 for no limit.",
  }),
  smsBudgetCountry: integer<number>({
    env: ["MAINSTAY_SMS_BUDGET_COUNTRY"],
    default: 500,
    unit: "messages",
    min: 0,
    summary: "Text messages to one country in a day (UTC), 0 for no limit.",
  }),
  smsBudgetProject: integer<number>({
    env: ["MAINSTAY_SMS_BUDGET_PROJECT"],
    default: 1_000,
    unit: "messages",
    min: 0,
    summary: "Text messages of the whole project in a day (UTC), 0 for no limit.",
  }),
  smsConversionMinPercent: integer<number>({
    env: ["MAINSTAY_SMS_CONVERSION_MIN_PERCENT"],
    default: 10,
    unit: "%",
    min: 0,
    max: 100,
    summary:
      "A country where fewer of the codes sent today and yesterday came back gets no more for the day, 0 to send regardless.",
  }),
  smsConversionAfter: integer<number>({
    env: ["MAINSTAY_SMS_CONVERSION_AFTER"],
    default: 100,
    unit: "messages",
    min: 1,
    summary: "Text messages to a country before it is judged by how many codes came back.",
  }),
} satisfies Settings;
