import { describe, expect, test } from "vitest";
import type { Call } from "../../../kernel/route.ts";
import { SettingError } from "../../../kernel/settings.ts";
import { appAssociations } from "./app-associations.ts";

const bytes = Array.from({ length: 32 }, (_, at) => (at + 160).toString(16));

/** The routes look at nothing of the call. */
const call = {} as Call;

async function documents(settings: Parameters<typeof appAssociations>[0]): Promise<Record<string, unknown>> {
  const group = appAssociations(settings);
  const found: Record<string, unknown> = {};
  for (const route of group?.routes ?? []) {
    expect([group?.mount, route.access]).toEqual(["", "open"]);
    const reply = await route.handle(call);
    expect(reply.headers).toContain("application/json; charset=utf-8");
    found[route.path] = JSON.parse(String(reply.body));
  }
  return found;
}

describe("documents for phones", () => {
  test("are not there when no app is named", () => {
    expect(appAssociations({ appleAppIds: [], androidApps: [] })).toBeNull();
  });

  test("name Apple apps for web credentials", async () => {
    expect(await documents({ appleAppIds: ["ABCDE12345.com.example.app"], androidApps: [] })).toEqual({
      "/.well-known/apple-app-site-association": { webcredentials: { apps: ["ABCDE12345.com.example.app"] } },
    });
  });

  test("name Android apps with the certificate's fingerprint, however it was written", async () => {
    const apps = [`com.example.app=${bytes.join("")}`, `com.example.beta=${bytes.join(":").toUpperCase()}`];
    const target = (name: string) => ({
      relation: ["delegate_permission/common.handle_all_urls", "delegate_permission/common.get_login_creds"],
      target: {
        namespace: "android_app",
        package_name: name,
        sha256_cert_fingerprints: [bytes.join(":").toUpperCase()],
      },
    });
    expect(await documents({ appleAppIds: [], androidApps: apps })).toEqual({
      "/.well-known/assetlinks.json": [target("com.example.app"), target("com.example.beta")],
    });
  });

  test.each([
    ["no team", { appleAppIds: ["com.example.app"], androidApps: [] }],
    ["no certificate", { appleAppIds: [], androidApps: ["com.example.app"] }],
    ["half a certificate", { appleAppIds: [], androidApps: [`com.example.app=${bytes.slice(1).join(":")}`] }],
    ["a package of one word", { appleAppIds: [], androidApps: [`app=${bytes.join(":")}`] }],
  ])("are refused at start for an app with %s", (_name, settings) => {
    expect(() => appAssociations(settings)).toThrow(SettingError);
  });
});
