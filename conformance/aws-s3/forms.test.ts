import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ann, type S3App, startApp } from "./app.ts";

let app: S3App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app.stop();
});

const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();

/** A form as a server of the app's would make it for its pages: signed by a user's session. */
function formOf(conditions: readonly unknown[], fields: Readonly<Record<string, string>>, expiresInMs = 60_000) {
  const { accessKeyId, secretAccessKey, sessionToken } = app.session(ann);
  const time = `${new Date().toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
  const day = time.slice(0, 8);
  const signing = {
    "x-amz-algorithm": "AWS4-HMAC-SHA256",
    "x-amz-credential": `${accessKeyId}/${day}/eu-central-1/s3/aws4_request`,
    "x-amz-date": time,
    "x-amz-security-token": sessionToken,
  };
  const document = {
    expiration: new Date(Date.now() + expiresInMs).toISOString(),
    conditions: [
      { bucket: "own" },
      ...Object.entries(signing).map(([name, value]) => ({ [name]: value })),
      ...conditions,
    ],
  };
  const policy = Buffer.from(JSON.stringify(document)).toString("base64");
  const key = ["eu-central-1", "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${secretAccessKey}`, day));
  const form = new FormData();
  const all = { ...fields, ...signing, policy, "x-amz-signature": hmac(key, policy).toString("hex") };
  for (const [name, value] of Object.entries(all)) form.set(name, value);
  return form;
}

async function post(form: FormData, file: string, bucket = "own") {
  form.set("file", new Blob([file]), "photo.txt");
  const response = await fetch(`${app.endpoint}/${bucket}`, { method: "POST", body: form });
  const text = await response.text();
  return { status: response.status, text, code: /<Code>(.*)<\/Code>/.exec(text)?.[1] };
}

const conditions = () => [
  ["starts-with", "$key", `${ann}/`],
  ["starts-with", "$Content-Type", "text/"],
  { success_action_status: "201" },
  { "x-amz-meta-from": "page" },
  ["content-length-range", 3, 10],
];
const fields = (more: Record<string, string> = {}) => ({
  key: `${ann}/\${filename}`,
  "Content-Type": "text/plain",
  success_action_status: "201",
  "x-amz-meta-from": "page",
  ...more,
});
const rows = () =>
  app.sql("select name, user_metadata, metadata ->> 'mimetype' as type from storage.objects order by name");

test("a form is taken as its policy lays it down", async () => {
  const { status, text } = await post(formOf(conditions(), fields()), "hello");
  expect([status, text.includes(`<Key>${ann}/photo.txt</Key>`)]).toEqual([201, true]);
  expect(await rows()).toEqual([{ name: `${ann}/photo.txt`, user_metadata: { from: "page" }, type: "text/plain" }]);
});

test("and not otherwise: nothing is stored then (S08)", async () => {
  const before = await rows();
  const other = "0b5f3c2a-7a0e-4c65-9f6e-2d1d8b7f1a02";
  const refused: [what: string, form: FormData, file: string, code: string, bucket?: string][] = [
    ["too long", formOf(conditions(), fields()), "hello, world", "EntityTooLarge"],
    ["too short", formOf(conditions(), fields()), "he", "EntityTooSmall"],
    ["another key", formOf(conditions(), fields({ key: `${other}/a` })), "hello", "AccessDenied"],
    ["another type", formOf(conditions(), fields({ "Content-Type": "image/png" })), "hello", "AccessDenied"],
    ["another field", formOf(conditions(), fields({ "x-amz-meta-more": "1" })), "hello", "AccessDenied"],
    ["another bucket", formOf(conditions(), fields()), "hello", "AccessDenied", "things"],
    ["a policy that is over", formOf(conditions(), fields(), -1_000), "hello", "AccessDenied"],
    // The policy allows it, and row level security does not.
    ["no right", formOf([["starts-with", "$key", ""]], { key: `${other}/a` }), "hello", "AccessDenied"],
    [
      "a redirect",
      formOf(
        [
          ["starts-with", "$key", ""],
          ["starts-with", "$success_action_redirect", ""],
        ],
        { key: `${ann}/r`, success_action_redirect: "https://example.com/" },
      ),
      "hello",
      "NotImplemented",
    ],
  ];
  for (const [what, form, file, code, bucket] of refused) {
    expect((await post(form, file, bucket)).code, what).toBe(code);
  }
  const changed = formOf(conditions(), fields());
  changed.set("policy", Buffer.from('{"expiration":"2099-01-01T00:00:00Z","conditions":[]}').toString("base64"));
  expect((await post(changed, "hello")).code).toBe("SignatureDoesNotMatch");
  const unsigned = new FormData();
  unsigned.set("key", `${ann}/a`);
  expect((await post(unsigned, "hello")).code).toBe("AccessDenied");
  expect(await rows()).toEqual(before);
});

test("what is no form, or breaks off, is refused", async () => {
  const send = async (body: string, boundary = "b") => {
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const response = await fetch(`${app.endpoint}/own`, { method: "POST", body, headers });
    return [response.status, /<Code>(.*)<\/Code>/.exec(await response.text())?.[1]];
  };
  for (const body of [
    "",
    "nonsense",
    "--b\r\n",
    '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\na\r\n--b--\r\n',
  ]) {
    expect(await send(body)).toEqual([400, "MalformedPOSTRequest"]);
  }
  expect(await send("", "x".repeat(252))).toEqual([400, "MalformedPOSTRequest"]);
  const twice = '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\na\r\n'.repeat(2);
  expect(await send(`${twice}--b--\r\n`)).toEqual([400, "MalformedPOSTRequest"]);
});
