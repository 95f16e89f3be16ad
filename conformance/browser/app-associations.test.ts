import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const fingerprint = Array.from({ length: 32 }, (_, at) => (at + 160).toString(16).toUpperCase()).join(":");

let app: BootedApp;
beforeAll(async () => {
  app = await boot({
    settings: {
      auth: { appleAppIds: ["ABCDE12345.com.example.app"], androidApps: [`com.example.app=${fingerprint}`] },
    },
  });
});
afterAll(() => app?.stop());

/** As Apple's and Google's servers ask: no key, no redirect followed. */
const fetchDocument = async (name: string) => {
  const response = await fetch(`${app.url}/.well-known/${name}`, { redirect: "error" });
  return { status: response.status, type: response.headers.get("content-type"), body: await response.json() };
};

describe("what phones look up at the domain of a passkey", () => {
  it("names the Apple apps", async () => {
    expect(await fetchDocument("apple-app-site-association")).toEqual({
      status: 200,
      type: expect.stringMatching(/^application\/json/),
      body: { webcredentials: { apps: ["ABCDE12345.com.example.app"] } },
    });
  });

  it("names the Android apps", async () => {
    expect(await fetchDocument("assetlinks.json")).toMatchObject({
      status: 200,
      type: expect.stringMatching(/^application\/json/),
      body: [
        {
          relation: expect.arrayContaining(["delegate_permission/common.get_login_creds"]),
          target: {
            namespace: "android_app",
            package_name: "com.example.app",
            sha256_cert_fingerprints: [fingerprint],
          },
        },
      ],
    });
  });

  it("is nothing else: other paths at the root are refused as before", async () => {
    expect(await fetchDocument("openid-configuration")).toMatchObject({
      status: 404,
      type: expect.stringMatching(/^application\/problem\+json/),
    });
  });

  it("is not there when no app is named", async () => {
    const plain = await boot();
    try {
      for (const name of ["apple-app-site-association", "assetlinks.json"]) {
        expect((await fetch(`${plain.url}/.well-known/${name}`)).status).toBe(404);
      }
    } finally {
      await plain.stop();
    }
  });
});
