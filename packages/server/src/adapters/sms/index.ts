import type { SmsGateway } from "../../capabilities/auth/sms/ports.ts";
import type { smsSettings } from "../../capabilities/auth/sms/settings.ts";
import { type Clock, systemClock } from "../../kernel/clock.ts";
import { SettingError, type Values } from "../../kernel/settings.ts";
import { webhookKeys } from "../../platform/outbound/index.ts";
import { messagebirdSms } from "../messagebird/index.ts";
import { webhookSms } from "../sms-webhook/index.ts";
import { textlocalSms } from "../textlocal/index.ts";
import { twilioSms } from "../twilio/index.ts";
import { vonageSms } from "../vonage/index.ts";

type SmsSettings = Values<typeof smsSettings>;

/**
 * Whoever the settings say sends text messages; `null` for nobody.
 * @throws SettingError when the provider needs what is not set
 */
export function smsGateway(settings: SmsSettings, clock: Clock = systemClock): SmsGateway | null {
  const { smsProvider: provider, smsTimeoutMs: timeoutMs } = settings;
  const baseUrl = (usual: string): string => addressOf(settings.smsUrl ?? usual).replace(/\/+$/, "");
  const need = <K extends keyof SmsSettings>(name: K): NonNullable<SmsSettings[K]> => {
    const value = settings[name];
    if (value === null || value === "") throw new SettingError(`smsProvider is "${provider}", which needs ${name}.`);
    return value as NonNullable<SmsSettings[K]>;
  };
  switch (provider) {
    case null:
      return null;
    case "twilio":
      return twilioSms({
        baseUrl: baseUrl("https://api.twilio.com"),
        accountSid: need("smsTwilioAccountSid"),
        authToken: need("smsTwilioAuthToken"),
        sender: need("smsTwilioSender"),
        contentSid: settings.smsTwilioContentSid,
        timeoutMs,
      });
    case "vonage":
      return vonageSms({
        baseUrl: baseUrl("https://rest.nexmo.com"),
        apiKey: need("smsVonageApiKey"),
        apiSecret: need("smsVonageApiSecret"),
        from: need("smsVonageFrom"),
        timeoutMs,
      });
    case "messagebird":
      return messagebirdSms({
        baseUrl: baseUrl("https://rest.messagebird.com"),
        accessKey: need("smsMessagebirdAccessKey"),
        originator: need("smsMessagebirdOriginator"),
        timeoutMs,
      });
    case "textlocal":
      return textlocalSms({
        baseUrl: baseUrl("https://api.textlocal.in"),
        apiKey: need("smsTextlocalApiKey"),
        sender: need("smsTextlocalSender"),
        timeoutMs,
      });
    case "webhook":
      return webhookSms({
        url: addressOf(need("smsUrl")),
        keys: webhookKeys("smsWebhookSecret", need("smsWebhookSecret")),
        timeoutMs,
        clock,
      });
  }
}

function addressOf(url: string): string {
  const { protocol } = URL.canParse(url) ? new URL(url) : { protocol: "" };
  if (protocol !== "https:" && protocol !== "http:") throw new SettingError("smsUrl must be an http or https address.");
  return url;
}
