import { describe, expect, test } from "vitest";
import { SettingError } from "../../../kernel/settings.ts";
import type { AuthSms } from "../messages.ts";
import { createSmsDelivery } from "./delivery.ts";
import type { OutgoingSms, SmsGateway } from "./ports.ts";

const clock = { nowMs: () => Date.parse("2026-11-21T12:00:00Z") };
const sms: AuthSms = { purpose: "sms", to: "4915112345678", otp: "012345", channel: "whatsapp", user: null };
const settings = {
  smsTemplate: "Your code is {{ .Code }}",
  smsTestOtp: ["16019839224=123456"],
  smsTestOtpValidUntil: "2026-12-31",
};

function collecting(): SmsGateway & { readonly sent: OutgoingSms[] } {
  const sent: OutgoingSms[] = [];
  return {
    name: "collecting",
    sent,
    async send(message) {
      sent.push(message);
      return { id: "theirs" };
    },
  };
}

describe("delivery", () => {
  test("writes the message and hands it over with the outbox's id", async () => {
    const gateway = collecting();
    const delivery = createSmsDelivery({ gateway, settings, clock });
    expect(await delivery.deliver(sms, "ours")).toEqual({ id: "theirs" });
    expect(gateway.sent).toEqual([
      { id: "ours", to: "4915112345678", body: "Your code is 012345", channel: "whatsapp", otp: "012345" },
    ]);
  });

  test("sends nothing to a number with a fixed code, even when it is asked to", async () => {
    const gateway = collecting();
    const delivery = createSmsDelivery({ gateway, settings, clock });
    expect(await delivery.deliver({ ...sms, to: "16019839224" }, "ours")).toEqual({ id: null });
    expect(gateway.sent).toEqual([]);
  });

  test("by nobody is refused for good", async () => {
    const delivery = createSmsDelivery({ gateway: null, settings, clock });
    await expect(delivery.deliver(sms, "ours")).rejects.toMatchObject({ name: "DeliveryError", isFinal: true });
  });
});

describe("the template", () => {
  const written = async (smsTemplate: string) => {
    const gateway = collecting();
    await createSmsDelivery({ gateway, settings: { ...settings, smsTemplate }, clock }).deliver(sms, "ours");
    return gateway.sent[0]?.body;
  };

  test("is Go's, and nothing is escaped as in HTML", async () => {
    expect(await written("{{.Code}} is your <Roam> code & nobody's else")).toBe(
      "012345 is your <Roam> code & nobody's else",
    );
    expect(await written('{{/* for iOS */}}{{ printf "%s\\n\\n@example.com #%s" .Code .Code }}')).toBe(
      "012345\n\n@example.com #012345",
    );
  });

  test.each(["{{ .Code", "{{ if }}{{ .Code }}{{ end }}", "Hello!", "Your code is {{ .Token }}"])(
    "that cannot be read or names no code keeps the server from starting: %s",
    (smsTemplate) => {
      const build = () => createSmsDelivery({ gateway: null, settings: { ...settings, smsTemplate }, clock });
      expect(build).toThrow(SettingError);
      expect(build).toThrow(/smsTemplate/);
    },
  );
});
