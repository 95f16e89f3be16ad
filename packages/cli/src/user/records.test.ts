import { expect, test } from "vitest";
import { csvRecords } from "./csv-records.ts";
import { dumpRecords } from "./dump-records.ts";
import { firebaseUser, readHashConfig } from "./firebase.ts";
import { jsonRecords } from "./json-records.ts";
import { parseUser } from "./parse.ts";
import { maxRecordLength, type ReadRecord, RecordError } from "./record.ts";
import { uuidOf } from "./source-id.ts";
import { supabaseIdentity, supabaseUser } from "./supabase.ts";

/** Cut anywhere: what is read must not depend on where the pieces of a file end. */
async function* pieces(text: string, size: number): AsyncIterable<string> {
  for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size);
}

async function* linesOf(text: string): AsyncIterable<string> {
  yield* text.split("\n");
}

const collect = async (records: AsyncIterable<ReadRecord>): Promise<ReadRecord[]> => {
  const all: ReadRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
};

/** In every cut, which must all give the same. */
async function everyCut(text: string, read: (chunks: AsyncIterable<string>) => AsyncIterable<ReadRecord>) {
  const whole = await collect(read(pieces(text, text.length + 1)));
  for (const size of [1, 2, 3, 7]) expect(await collect(read(pieces(text, size)))).toEqual(whole);
  return whole;
}

test.each([
  ["a list", '[\n{"a": 1},\n {"a": [2, {"b": "}]\\""}]}\n]'],
  ["a list in an object", '{"kind": "x", "users": [\n{"a": 1},\n {"a": [2, {"b": "}]\\""}]}\n], "more": {"a": [3]}}'],
  ["lines", '{"a": 1}\n\n{"a": [2, {"b": "}]\\""}]}\n'],
])("JSON in %s is read object by object", async (form, text) => {
  const records = await everyCut(text, (chunks) => jsonRecords(chunks, ["users"]));
  expect(records.map((one) => ("fields" in one ? one.fields : one))).toEqual([{ a: 1 }, { a: [2, { b: '}]"' }] }]);
  expect(records.map(({ line }) => line)).toEqual(form === "lines" ? [1, 3] : [2, 3]);
});

test("JSON under a key alone is found, or nothing is", async () => {
  const only = (text: string) =>
    everyCut(text, (chunks) => jsonRecords(chunks, ["identities"], { isOnlyUnderKeys: true }));
  expect(await only('{"users": [{"identities": 1}], "identities": [{"id": 2}]}')).toEqual([
    { line: 1, fields: { id: 2 } },
  ]);
  for (const text of ['[{"identities": []}]', '{"a": 1}\n{"a": 2}', '{"users": [{}]}', ""]) {
    expect(await only(text)).toEqual([]);
  }
});

test("JSON that cannot be read is named by its line, and what follows is read", async () => {
  const text = '[{"a": nonsense},\n{"a": 1},\n[1],\n{"a": 2}';
  const records = await everyCut(text, (chunks) => jsonRecords(chunks, []));
  expect(records).toEqual([
    { line: 1, error: "the entry is not valid JSON" },
    { line: 2, fields: { a: 1 } },
    { line: 3, error: "the entry is no object" },
    { line: 4, fields: { a: 2 } },
    { line: 4, error: "the file ends in the middle" },
  ]);
  const long = `[{"a": "${"x".repeat(maxRecordLength)}"}, {"a": 3}]`;
  expect(await collect(jsonRecords(pieces(long, 65_536), []))).toEqual([
    { line: 1, error: "the entry is too long" },
    { line: 1, fields: { a: 3 } },
  ]);
});

test("CSV is read with quotes, line breaks in them, and names in any order", async () => {
  const text =
    '\u{feff}email,name,note\r\nann@example.com,"Ann ""A"", the first","two\r\nlines"\r\n\r\nbob@example.com,,\n"c",d';
  const records = await everyCut(text, (chunks) => csvRecords(chunks));
  expect(records).toEqual([
    { line: 2, fields: { email: "ann@example.com", name: 'Ann "A", the first', note: "two\r\nlines" } },
    { line: 5, fields: { email: "bob@example.com", name: "", note: "" } },
    { line: 6, fields: { email: "c", name: "d" } },
  ]);
  expect(await everyCut("a\n1,2\n", (chunks) => csvRecords(chunks))).toEqual([
    { line: 2, error: "the row has 2 fields, not 1" },
  ]);
});

const dump = `--
\\restrict abc
SET statement_timeout = 0;
COPY auth.audit_log_entries (id) FROM stdin;
COPY auth.users (id, email) FROM stdin;
\\.
COPY "auth"."users" (instance_id, id, email, "role", encrypted_password, raw_user_meta_data, deleted_at) FROM stdin;
\\N\tu1\tann@example.com\tauthenticated\t$2a$10$x\t{"name": "A\\\\nn\\tB"}\t\\N
\\N\tu2\t\\N
\\.
INSERT INTO auth.users (id, email, raw_user_meta_data, is_anonymous, created_at) VALUES
  ('u3', 'o''hara@example.com', '{"a": "(1, 2);"}'::jsonb, false, '2026-01-01 00:00:00+00'),
  ('u4', NULL, E'{"a": "b\\\\nc"}', true, now());
INSERT INTO "auth"."users" ("id", "email") VALUES ('u5', 'x@example.com') ON CONFLICT DO NOTHING;
INSERT INTO public.users (id, email) VALUES ('no', 'no@example.com');
COPY auth.identities (provider_id, user_id, provider, identity_data) FROM stdin;
g1\tu1\tgoogle\t{"sub": "g1"}
\\.
\\! rm -rf /
`;

test("B20 a dump is read, never run: rows of COPY and of INSERT", async () => {
  // Texts of other rows, and bodies of functions, may look like whatever somebody wrote there.
  const trap = "INSERT INTO auth.users (id) VALUES ('trap');";
  const traps = [
    `COPY public.posts (title) FROM stdin;\n${trap}\n\\.`,
    `INSERT INTO public.posts (title) VALUES ('it''s\n${trap.replaceAll("'", "''")}\n');`,
    `CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $_$\n${trap}\n$_$;`,
    `/* /* */\n${trap}\n*/`,
    `-- ${trap}`,
    `COMMENT ON TABLE public.posts IS E'a\\'\n${trap.replaceAll("'", "\\'")}\n';`,
  ];
  const text = `${traps.join("\n")}\n${dump}`;
  const before = traps.join("\n").split("\n").length;
  const users = await collect(dumpRecords(linesOf(text), "auth.users"));
  expect(users.map((one) => ("fields" in one ? one.fields : one))).toEqual([
    {
      instance_id: null,
      id: "u1",
      email: "ann@example.com",
      role: "authenticated",
      encrypted_password: "$2a$10$x",
      raw_user_meta_data: '{"name": "A\\nn\tB"}',
      deleted_at: null,
    },
    { line: before + 9, error: "the row has 3 fields, not 7" },
    {
      id: "u3",
      email: "o'hara@example.com",
      raw_user_meta_data: '{"a": "(1, 2);"}',
      is_anonymous: false,
      created_at: "2026-01-01 00:00:00+00",
    },
    { id: "u4", email: null, raw_user_meta_data: '{"a": "b\\nc"}', is_anonymous: true, created_at: "now()" },
    { id: "u5", email: "x@example.com" },
  ]);
  const identities = await collect(dumpRecords(linesOf(text), "auth.identities"));
  expect(identities.map((one) => ("fields" in one ? supabaseIdentity(one.fields) : one))).toMatchObject([
    { userId: "u1", provider: "google", providerId: "g1", data: { sub: "g1" } },
  ]);
  expect(await collect(dumpRecords(linesOf("COPY auth.users (id) FROM stdin;\nu1"), "auth.users"))).toEqual([
    { line: 2, fields: { id: "u1" } },
    { line: 2, error: "the file ends in the middle" },
  ]);
});

const config = {
  signerKey: "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
  saltSeparator: "Bw==",
  rounds: 8,
  memoryCost: 14,
};

test.each([
  `hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: ${config.signerKey},\n  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}`,
  JSON.stringify({ algorithm: "SCRYPT", ...config }),
  JSON.stringify(
    { signerKey: config.signerKey.replaceAll("/", "_"), saltSeparator: "Bw==", rounds: 8, memoryCost: 14 },
    null,
    2,
  ),
])("Firebase's hash parameters are read however they are written", (text) => {
  expect(readHashConfig(text)).toEqual(config);
});

test("hash parameters that are incomplete, or of another algorithm, are refused", () => {
  expect(() => readHashConfig("hash_config { rounds: 8 }")).toThrow("base64_signer_key");
  expect(() => readHashConfig(JSON.stringify({ ...config, algorithm: "BCRYPT" }))).toThrow("BCRYPT");
});

test("a Firebase user brings password, identities, claims and the id", () => {
  const user = firebaseUser(
    {
      localId: "abc",
      email: "ann@example.com",
      emailVerified: true,
      passwordHash: "lSrfV15cpx95_sZS2W9c9A==",
      salt: "42xEC-ixf3L2lw==",
      displayName: "Ann",
      createdAt: "1700000000000",
      disabled: true,
      customAttributes: '{"plan": "pro", "firebase_uid": "forged"}',
      providerUserInfo: [
        { providerId: "google.com", rawId: "g1", email: "ann@gmail.com" },
        { providerId: "password", rawId: "ann@example.com" },
      ],
    },
    config,
  );
  expect(user).toMatchObject({
    id: uuidOf("firebase", "abc"),
    passwordHash: `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${config.signerKey}$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9A==`,
    emailConfirmedAt: "2023-11-14T22:13:20.000Z",
    bannedUntil: "infinity",
    isAnonymous: false,
    appMetadata: { plan: "pro", firebase_uid: "abc" },
    identities: [{ provider: "google", providerId: "g1", data: { sub: "g1", email: "ann@gmail.com" } }],
  });
  expect(() => firebaseUser({ localId: "a", passwordHash: "x" }, null)).toThrow(RecordError);
  expect(() => firebaseUser({ email: "a@example.com" }, null)).toThrow(RecordError);
  expect(firebaseUser({ localId: "a" }, null)).toMatchObject({ isAnonymous: true });
});

test("an id elsewhere gives the same UUID every time, version 5", () => {
  // RFC 9562 has the namespace; the value was made with `uuid5(NAMESPACE_URL, "firebase:abc")` of Python.
  expect(uuidOf("firebase", "abc")).toBe("0023364d-c4ed-5b5f-8fb1-0aee64897e46");
  expect(uuidOf("parse", "abc")).not.toBe(uuidOf("firebase", "abc"));
});

test("a Parse user brings password, identities and the id, from either export", () => {
  const hash = `$2b$10$${"a".repeat(53)}`;
  expect(
    parseUser({
      _id: "p1",
      username: "ann@example.com",
      _hashed_password: hash,
      _created_at: { $date: "2020-01-01T00:00:00Z" },
      emailVerified: true,
      _auth_data_facebook: { id: "f1", access_token: "secret" },
    }),
  ).toMatchObject({
    id: uuidOf("parse", "p1"),
    email: "ann@example.com",
    passwordHash: hash,
    emailConfirmedAt: "2020-01-01T00:00:00Z",
    appMetadata: { parse_id: "p1" },
    identities: [{ provider: "facebook", providerId: "f1", data: { sub: "f1", provider_id: "f1" } }],
  });
  expect(
    parseUser({
      objectId: "p2",
      username: "ann",
      email: "a@example.com",
      bcryptPassword: hash,
      createdAt: { $date: { $numberLong: "1577836800000" } },
    }),
  ).toMatchObject({
    email: "a@example.com",
    emailConfirmedAt: undefined,
    createdAt: "2020-01-01T00:00:00.000Z",
    userMetadata: { username: "ann" },
  });
  expect(parseUser({ objectId: "p3", authData: { anonymous: { id: "x" } } })).toMatchObject({ isAnonymous: true });
  expect(() => parseUser({})).toThrow(RecordError);
});

test("a Supabase user is read from a dump, the admin API and a table of one's own", () => {
  expect(
    supabaseUser({
      id: "1",
      email: "a@example.com",
      encrypted_password: "h",
      email_confirmed_at: "2026-01-01",
      raw_app_meta_data: '{"provider": "email"}',
      is_anonymous: "f",
    }),
  ).toMatchObject({
    passwordHash: "h",
    emailConfirmedAt: "2026-01-01",
    appMetadata: { provider: "email" },
    isAnonymous: false,
  });
  expect(
    supabaseUser({
      email: "a@example.com",
      identities: [
        { provider: "email", id: "1" },
        { provider: "google", id: "g1", identity_id: "x", identity_data: { sub: "g1" } },
      ],
    }).identities,
  ).toMatchObject([{ provider: "google", providerId: "g1" }]);
  expect(supabaseUser({ email: "a@example.com", email_verified: "true", password_hash: "h" })).toMatchObject({
    emailConfirmedAt: "1970-01-01T00:00:00Z",
    passwordHash: "h",
  });
  expect(() => supabaseUser({ deleted_at: "2026-01-01" })).toThrow(RecordError);
  expect(() => supabaseUser({ raw_user_meta_data: "nonsense" })).toThrow(RecordError);
});
