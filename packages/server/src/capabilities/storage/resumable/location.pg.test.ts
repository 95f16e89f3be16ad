import { expect, test } from "vitest";
import { bootFiles, create, type FilesApp, type Person } from "./testing.ts";

const forwarded = {
  "x-forwarded-proto": "https",
  "x-forwarded-host": "api.example.com",
  "x-forwarded-prefix": "/backend",
};
const locationAt = async (app: FilesApp, ann: Person): Promise<string> =>
  (await create(app.url, ann.token, { name: `ann/${Math.random()}`, length: 1 }, forwarded)).location;

test("A13: an upload's URL is where a proxy of ours was asked, and nobody else says where that is", async () => {
  const behind = await bootFiles({}, "", { trustedProxies: ["loopback"] });
  try {
    const location = await locationAt(behind, await behind.person("ann@example.com"));
    expect(location).toMatch(/^https:\/\/api\.example\.com\/backend\/storage\/v1\/upload\/resumable\/[\w-]+$/);
  } finally {
    await behind.stop();
  }
  const alone = await bootFiles();
  try {
    const location = await locationAt(alone, await alone.person("ann@example.com"));
    expect(location.startsWith(`${alone.url}/storage/v1/upload/resumable/`)).toBe(true);
  } finally {
    await alone.stop();
  }
});
