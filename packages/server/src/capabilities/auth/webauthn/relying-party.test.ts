import { describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { authSettings } from "../settings.ts";
import { relyingPartyOf } from "./relying-party.ts";

const defaults = readSettings(authSettings, { env: {} }).values;
const partyOf = (given: Partial<typeof defaults>) => relyingPartyOf({ ...defaults, ...given });

describe("the relying party", () => {
  test("is localhost on a machine of its own: browsers take no address for a domain", () => {
    expect(partyOf({ siteUrl: "http://127.0.0.1:3000", publicUrl: "http://127.0.0.1:54321" })).toEqual({
      id: "localhost",
      name: "localhost",
      origins: ["http://localhost:3000", "http://localhost:54321", "https://localhost"],
    });
    expect(partyOf({ siteUrl: "http://[::1]:3000", publicUrl: "http://[::1]:54321" }).id).toBe("localhost");
  });

  test("is the site's host, with the public URL when it is below that", () => {
    expect(partyOf({ siteUrl: "https://example.com/app", publicUrl: "https://api.example.com" })).toEqual({
      id: "example.com",
      name: "example.com",
      origins: ["https://example.com", "https://api.example.com"],
    });
  });

  test("leaves out origins that cannot use its credentials", () => {
    expect(partyOf({ siteUrl: "https://example.com", publicUrl: "https://notexample.com" }).origins).toEqual([
      "https://example.com",
    ]);
  });

  test("is the public URL's host when the site is an app's own scheme", () => {
    const party = partyOf({ siteUrl: "myapp://login", publicUrl: "https://api.example.com" });
    expect([party.id, party.origins]).toEqual(["api.example.com", ["https://api.example.com"]]);
  });

  test("is what the settings say it is", () => {
    const origins = ["https://login.example.com", "android:apk-key-hash:abc"];
    const given = { webauthnRpId: "example.com", webauthnRpDisplayName: "Example", webauthnRpOrigins: origins };
    expect(partyOf(given)).toEqual({ id: "example.com", name: "Example", origins });
  });

  test("knows the origin of each Android app from its certificate", () => {
    const fingerprint = Array.from({ length: 32 }, (_, at) => at.toString(16).padStart(2, "0")).join(":");
    const party = partyOf({ siteUrl: "https://example.com", androidApps: [`com.example.app=${fingerprint}`] });
    // SHA-256 of the certificate in base64url without padding (Android, Credential Manager).
    expect(party.origins).toContain("android:apk-key-hash:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
  });
});
