import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inParallel } from "../send.ts";
import { evilKeys, pathOf } from "./evil-keys.ts";
import type { Answer } from "./http.ts";
import { annId, canary, type FilesServer, meantStatus, people, startFiles, tusHeaders } from "./server.ts";

/** Threat S01 at every entrance that takes a name. */
let files: FilesServer;
let keys: readonly string[];
const secret = "what ann alone may read";
beforeAll(async () => {
  files = await startFiles({ storageTrustedSites: ["open"] });
  await files.upload(people.ann, `own/${annId}/private.txt`, secret);
  await files.upload(files.serviceRoleKey, "open/index.html", "<p>open</p>", { "content-type": "text/html" });
  await files.upload(files.serviceRoleKey, "shut/source.txt", "source");
  keys = evilKeys(files.parent, files.folder);
});
afterAll(() => files.stop());

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const json = (method: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
  files.send(method, path, { json: body, headers });
const form = (name: string): { headers: Record<string, string>; body: string } => ({
  headers: { "content-type": "multipart/form-data; boundary=b" },
  body: `--b\r\nContent-Disposition: form-data; name=""; filename="${name.replace(/["\r\n]/g, "_")}"\r\n\r\nx\r\n--b--\r\n`,
});
const move = (from: string, to: string) => ({ bucketId: "shut", sourceKey: from, destinationKey: to });
const deleted = (key: string): string =>
  `<Delete><Object><Key>${key.replace(/[<&]/g, (char) => (char === "<" ? "&lt;" : "&amp;"))}</Key></Object></Delete>`;
/** A header as clients write it: bytes of UTF-8, and what no header can carry left out. */
const inHeader = (text: string): string => pathOf(text).slice(0, 6_000);

/** Every way to name an object. As the service, whom no policy stops: what holds here holds by itself. */
const entrances: Readonly<Record<string, (key: string) => Promise<Answer>>> = {
  POST: (key) => files.send("POST", `/object/shut/${pathOf(key)}`, { body: "x", headers: { "x-upsert": "true" } }),
  "PUT as it is on the wire": (key) => files.send("PUT", `/object/shut/${key}`, { body: "x" }),
  "a form": (key) => files.send("PUT", `/object/shut/${pathOf(key)}`, form(key)),
  "GET as it is on the wire": (key) => files.send("GET", `/object/shut/${key}`),
  GET: (key) => files.send("GET", `/object/authenticated/shut/${pathOf(key)}`),
  "GET of everybody": (key) => files.send("GET", `/object/public/open/${key}`, { as: null }),
  info: (key) => files.send("GET", `/object/info/authenticated/shut/${pathOf(key)}`),
  render: (key) => files.send("GET", `/render/image/authenticated/shut/${pathOf(key)}?width=10`),
  sign: (key) => json("POST", `/object/sign/shut/${pathOf(key)}`, { expiresIn: 60 }),
  "sign many": (key) => json("POST", "/object/sign/shut", { expiresIn: 60, paths: [key] }),
  "sign an upload": (key) => json("POST", `/object/upload/sign/shut/${pathOf(key)}`, {}, { "x-upsert": "true" }),
  "a signed upload": (key) => files.send("PUT", `/object/upload/sign/shut/${pathOf(key)}?token=a.b.c`, { body: "x" }),
  "copy from": (key) => json("POST", "/object/copy", move(key, "copied.txt"), { "x-upsert": "true" }),
  "copy to": (key) => json("POST", "/object/copy", move("source.txt", key), { "x-upsert": "true" }),
  "move from": (key) => json("POST", "/object/move", move(key, "source.txt")),
  "move to": (key) => json("POST", "/object/move", move("missing.txt", key)),
  "to a bucket of that name": (key) =>
    json("POST", "/object/copy", { ...move("source.txt", "a"), destinationBucket: key }),
  list: (key) => json("POST", "/object/list/shut", { prefix: key }),
  "list-v2": (key) => json("POST", "/object/list-v2/shut", { prefix: key, cursor: base64(key) }),
  "delete many": (key) => json("DELETE", "/object/own", { prefixes: [key] }),
  DELETE: (key) => files.send("DELETE", `/object/own/${key}`),
  "make a bucket": (key) => json("POST", "/bucket", { id: key, name: key }),
  "a bucket": (key) => files.send("GET", `/bucket/${key}`),
  "TUS create": (key) => files.tusCreate(files.serviceRoleKey, { bucket: "shut", name: key, headers: { "x-upsert": "true" }, body: Buffer.from("0123456789") }),
  "TUS HEAD": (key) =>
    files.send("HEAD", `/upload/resumable/${Buffer.from(`shut/${key}/${annId}`).toString("base64url").slice(0, 6_000)}`, { headers: tusHeaders(0) }),
  "TUS PATCH by name": (key) => files.send("PATCH", `/upload/resumable/${key}`, { headers: tusHeaders(0), body: "x" }),
  "TUS DELETE": (key) =>
    files.send("DELETE", `/upload/resumable/${Buffer.from(`${key}/x/${annId}`).toString("base64url").slice(0, 6_000)}`, { headers: tusHeaders(0) }),
  "S3 PUT": (key) => files.s3("PUT", `/shut/${pathOf(key)}`, { body: "x" }),
  "S3 PUT as it is on the wire": (key) => files.s3("PUT", `/shut/${key.replace(/[?#]/g, "_")}`, { body: "x" }),
  "S3 GET": (key) => files.s3("GET", `/shut/${pathOf(key)}`),
  "S3 copy from": (key) => files.s3("PUT", "/shut/copied", { headers: { "x-amz-copy-source": `/shut/${inHeader(key)}` } }),
  "S3 begin": (key) => files.s3("POST", `/shut/${pathOf(key)}?uploads`),
  "S3 list": (key) => files.s3("GET", `/shut?list-type=2&prefix=${encodeURIComponent(key.slice(0, 2_000))}`),
  "S3 delete many": (key) =>
    files.s3("POST", "/own?delete", { body: deleted(key), headers: { "content-type": "application/xml" } }),
  "S3 bucket": (key) => files.s3("GET", `/${pathOf(key)}/a`),
  "a site": (key) => files.send("GET", `/site/open/${key}`, { as: null }),
  "the project's site": async (key) => {
    const reply = await files.send("GET", `/../../${key}`, { as: null });
    return reply;
  },
}; // biome-ignore format: a table

describe("S01 a name leads nowhere but to its row", () => {
  test("S01 three hundred names at every entrance touch nothing outside of the store, and are answered", async () => {
    expect(keys.length).toBeGreaterThanOrEqual(300);
    const outside = await files.outside();
    const faults: string[] = [];
    const asks = Object.entries(entrances).flatMap(([what, enter]) => keys.map((key) => ({ what, enter, key })));
    await inParallel(asks, 8, async ({ what, enter, key }) => {
      const say = (fault: string): void => void faults.push(`${what} ${JSON.stringify(key.slice(0, 80))}: ${fault}`);
      try {
        const answer = await enter(key);
        if (answer.status >= 500 && answer.status !== 501) say(`${answer.status} ${answer.text.slice(0, 200)}`);
        if (answer.text.includes(canary) || answer.text.includes(secret)) say("said what it should not");
        if (answer.status >= 400 && answer.text !== "" && !/"message"|<Message>|^[\w<]/.test(answer.text))
          say(`unclear: ${answer.text.slice(0, 200)}`);
      } catch (error) {
        say(String(error));
      }
    });
    expect(faults).toEqual([]);
    expect(await files.outside()).toEqual(outside);
    // In the store there are names of ours alone.
    const stored = Object.keys(((await files.snapshot()) as { files: Record<string, string> }).files);
    const strange = stored.filter(
      (name) => name !== "outside.txt" && !/^store\/(?:[0-9a-f]{2}\/[0-9a-f]{2}\/|[\w.-]+\/)?[\w.-]+$/.test(name),
    );
    expect(strange).toEqual([]);
    const blobs = stored.filter((name) => /^store\/[0-9a-f]{2}\//.test(name));
    for (const name of blobs)
      expect(name).toMatch(/^store\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    // What was taken in is what a name may be, letter by letter.
    const names = await files.sql<{ name: string; bucket_id: string }>("select name, bucket_id from storage.objects");
    const allowed = /^[A-Za-z0-9_/!.*'() &$=@;:+,?-]{1,1024}$/;
    const bad = names.filter(
      ({ name }) =>
        !allowed.test(name) || name.split("/").some((part) => part === "." || part === "..") || name.startsWith("/"),
    );
    expect(bad).toEqual([]);
    const mine = await files.send("GET", `/object/own/${annId}/private.txt`, { as: people.ann });
    expect([mine.status, mine.text]).toEqual([200, secret]);
    expect(
      await files.leaks(keys.filter((key) => key.includes(files.parent)).sort((a, b) => b.length - a.length)),
    ).toEqual([]);
    expect(files.failures()).toEqual([]);
  }, 300_000);

  test("S01 what is refused by one entrance is refused by all that write", async () => {
    const writers = ["POST", "copy to", "sign an upload", "TUS create", "S3 PUT", "S3 begin"] as const;
    // An empty name and a slash at its end make other routes of the paths.
    const asked = keys.filter((key) => key !== "" && key.length < 2_000 && !key.includes("\0"));
    const split: string[] = [];
    await inParallel(asked, 6, async (key) => {
      const verdicts: string[] = [];
      for (const name of writers) verdicts.push(meantStatus(await entrances[name]!(key)) < 300 ? "in" : "out");
      if (new Set(verdicts).size > 1) split.push(`${JSON.stringify(key)}: ${verdicts.join(" ")}`);
    });
    expect(split).toEqual([]);
  });
});
