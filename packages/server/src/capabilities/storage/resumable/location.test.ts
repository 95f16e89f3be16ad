import { describe, expect, test } from "vitest";
import { idOf, nameOf, nameOfUrl } from "./location.ts";

const version = "6f1c3a52-1c1b-4d0e-9b0a-2f4f0a4b7d11";
const encoded = (text: string): string => Buffer.from(text).toString("base64url");

describe("the id of an upload", () => {
  test.each([
    ["photos", "a.png"],
    ["photos", "me/2026/a b.png"],
    ["with space", "a//b"],
    ["photos", version],
  ])("says bucket %s and key %s", (bucketId, key) => {
    const name = { bucketId, key, version };
    expect(idOf(name)).toBe(encoded(`${bucketId}/${key}/${version}`));
    expect(nameOf(idOf(name))).toEqual(name);
  });

  // Threat S01: an id is taken apart, so it could say anything.
  test.each([
    "",
    "a",
    encoded("photos"),
    encoded(`photos/${version}`),
    encoded(`/a/${version}`),
    encoded(`photos//${version}`),
    encoded(`photos/../a/${version}`),
    encoded(`../photos/a/${version}`),
    encoded(`photos/a/../../etc/passwd`),
    encoded(`photos/a\0b/${version}`),
    encoded(`photos/a\\b/${version}`),
    encoded(`photos/%2e%2e/a/${version}`),
    encoded(`photos/C:/a/${version}`).replace(/^/, "="),
    encoded(`photos/a/${version.toUpperCase()}`),
    encoded(`photos/a/${version} `),
    encoded(`photos/ä/${version}`),
    `${encoded(`photos/a/${version}`)}=`,
    `${encoded(`photos/a/${version}`)}%00`,
    encoded(`photos/${"a".repeat(1_025)}/${version}`),
    "A".repeat(4_000),
    "../../etc/passwd",
  ])("S01: is none when it is %j", (id) => {
    expect(nameOf(id)).toBeNull();
  });

  test("has one spelling", () => {
    // The last character has bits that no byte takes: another one decodes to the same.
    const id = encoded(`photos/ab/${version}`);
    const spellings = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"]
      .map((last) => id.slice(0, -1) + last)
      .filter((other) => Buffer.from(other, "base64url").equals(Buffer.from(id, "base64url")));
    expect(spellings.filter((other) => nameOf(other) !== null)).toEqual([id]);
  });
});

describe("a URL of an upload", () => {
  const name = { bucketId: "photos", key: "me/a.png", version };
  const mount = "/storage/v1/upload/resumable";

  test.each([
    `http://127.0.0.1:54321${mount}/${idOf(name)}`,
    `https://api.example.com/prefix${mount}/${idOf(name)}`,
    `${mount}/${idOf(name)}`,
    `${mount}/sign/${idOf(name)}`,
  ])("names it: %s", (url) => {
    expect(nameOfUrl(url, mount)).toEqual(name);
  });

  test.each([
    "",
    idOf(name),
    `/storage/v1/object/${idOf(name)}`,
    `${mount}/${idOf(name)}/`,
    `${mount}/${idOf(name)}?a=b`,
    `${mount}/other/${idOf(name)}`,
    `ftp://127.0.0.1/${idOf(name)}`,
  ])("names none: %s", (url) => {
    expect(nameOfUrl(url, mount)).toBeNull();
  });
});
