import type { AskOptions } from "./ask.ts";

export interface Question extends AskOptions {
  readonly path: string;
}

const operations = [
  "eq.alpha secret",
  "neq.zulu",
  "gt.a",
  "lt.zzz",
  "like.a*",
  "ilike.*secret*",
  "match.^a",
  "imatch.Z",
  "in.(alpha secret,zulu)",
  "is.null",
  "not.is.null",
  "isdistinct.zulu",
  "fts.alpha",
  "wfts(english).zulu",
  "eq(any).{zulu,x}",
  "like(all).{a*,*t}",
  "not.eq.zulu",
].map((operation) => operation.replaceAll(" ", "%20"));
const numeric = ["eq.30", "gt.50", "lt.990", "in.(10,20,999)", "is.null", "not.gte.900", "eq(any).{10,999}"];
const secretColumns = ["salary", "note", "salary_band"];

/** Reads that would tell something of the secrets of `oracle.sql`, if any could. */
export function reads(): Question[] {
  const paths = [
    // A column without privilege, used in every way a column can be used.
    ...secretColumns.flatMap((column) => [
      ...(column === "salary" ? numeric : operations).map((operation) => `/people?select=id&${column}=${operation}`),
      `/people?select=id&order=${column}`,
      `/people?select=id&order=${column}.desc.nullsfirst&limit=1`,
      `/people?select=${column}`,
      `/people?select=id,x:${column}::text`,
      `/people?select=id&or=(${column}.is.null,id.eq.1)`,
      `/people?select=id&not.and=(${column}.gt.5,id.gt.0)`,
      `/people?select=id&and=(id.eq.1,or(id.eq.1,${column}.eq.1))`,
      `/people?select=${column}.max()`,
      `/people?select=id,${column}.count()`,
      `/people?select=id&${column}->>a=eq.1`,
      `/diary?select=id,people(${column})`,
      `/diary?select=id,people!inner(id)&people.${column}=gt.1`,
      `/diary?select=id&order=people(${column})`,
      `/diary?select=id,...people(${column})`,
      `/diary?select=id,people(id)&people.order=${column}`,
    ]),
    "/people",
    "/people?select=*",
    "/people?select=people",
    "/people?select=id,name",
    "/people?select=count",
    "/people?select=id,diary(*)",
    "/people?select=id,diary(count)",
    "/people?select=id,diary!inner(id)",
    "/people?select=id&diary=not.is.null",
    "/people?select=id,diary()&diary=is.null",
    // Rows without right.
    ...operations.flatMap((operation) => [
      `/diary?text=${operation}`,
      `/diary_view?text=${operation}`,
      `/comments?select=id,diary(id)&diary.text=${operation}`,
      `/diary?select=id&first_word=${operation}`,
    ]),
    ...numeric.flatMap((operation) => [`/diary?mood=${operation}`, `/diary?select=id&or=(mood.${operation},id.eq.1)`]),
    "/diary?select=count",
    "/diary?select=text::int",
    "/diary?select=mood.sum(),text&order=text",
    "/diary?select=id&order=text",
    "/diary?select=id&order=mood.desc&limit=1",
    "/diary?select=id&order=first_word",
    "/diary?select=first_word",
    "/diary?select=id&slug=eq.his",
    "/diary?id=eq.10",
    "/diary?select=id&offset=3",
    "/diary?select=id&limit=1&offset=1",
    "/diary?select=id,comments(count)",
    "/diary?select=*,comments(*)",
    "/comments?select=*,diary(*)",
    "/comments?select=*,diary!inner(text)&order=diary(text)",
    "/comments",
    "/comments?diary_id=eq.10",
    "/diary?select=id,text,people(name)",
    "/diary?select=id&text=match.%5B",
    "/diary?select=id&text=fts.%26",
    // A table without any right.
    "/ledgers",
    "/ledgers?select=id&title=like.ledger%20one*",
    "/ledgers?select=count",
    "/diary?select=id,ledgers(*)",
    "/diary?select=id,ledgers(count)",
    "/diary?select=id,ledgers!inner()",
    "/diary?select=id,ledgers()&ledgers=is.null",
    "/diary?select=id&order=ledgers(title)",
    // Functions see what their caller sees.
    "/rpc/how_many",
    "/rpc/diary_of?word=mine",
    "/rpc/diary_of?word=a&select=id&mood=gt.1",
    "/rpc/diary_of?word=&order=mood.desc&limit=1",
    "/rpc/salary_band",
    "/rpc/first_word",
  ];
  return paths.flatMap((path): Question[] => [
    { path },
    { path, headers: { prefer: "count=exact" } },
    { path, method: "HEAD", headers: { prefer: "count=exact" } },
    { path, headers: { accept: "application/vnd.pgrst.object+json" } },
    { path, headers: { accept: "text/csv", range: "0-0" } },
  ]);
}

/** Writes that would, by what they change, count or refuse. All of them are undone. */
export function writes(): Question[] {
  const undone = "tx=rollback";
  const shown = { prefer: `return=representation,count=exact,${undone}` };
  const counted = { prefer: `count=exact,${undone}` };
  return [
    ...[
      ...operations.map((operation) => `/diary?text=${operation}`),
      ...numeric.map((operation) => `/diary?mood=${operation}`),
      "/diary",
      "/diary?id=eq.10",
      "/diary?select=*,people(name),comments(*)",
    ].flatMap((path): Question[] => [
      { method: "PATCH", path, body: '{"text":"changed"}', headers: shown },
      { method: "PATCH", path, body: '{"mood":1}', headers: counted },
      { method: "DELETE", path, headers: { prefer: `${counted.prefer},handling=strict,max-affected=1` } },
    ]),
    ...secretColumns.flatMap((column): Question[] => [
      { method: "PATCH", path: `/people?${column}=gt.1`, body: '{"name":"x"}', headers: counted },
      { method: "PATCH", path: `/people?id=eq.1&select=${column}`, body: '{"name":"x"}', headers: shown },
      { method: "PATCH", path: "/people?id=eq.1", body: `{"${column}":1}`, headers: counted },
      { method: "POST", path: "/people", body: `{"id":1,"name":"x","${column}":null}`, headers: counted },
      {
        method: "POST",
        path: `/people?on_conflict=${column}`,
        body: '{"id":1,"name":"x"}',
        headers: { prefer: `resolution=merge-duplicates,${undone}` },
      },
    ]),
    // What is there already, of others: the same refusal whatever it holds.
    ...[
      '{"id":10,"text":"x"}',
      '[{"id":1,"text":"x"},{"id":10,"text":"y"}]',
      '{"id":10,"text":"x","owner_id":"6f0c8d2e-0000-4000-8000-00000000000b"}',
      '{"id":7077,"text":"x","person_id":99}',
      '{"id":7077,"ledger_id":2}',
    ].flatMap((body): Question[] =>
      ["", "resolution=merge-duplicates,", "resolution=ignore-duplicates,"].map((resolution) => ({
        method: "POST",
        path: "/diary?columns=id,text,owner_id,person_id,ledger_id",
        body,
        headers: { prefer: `${resolution}missing=default,return=representation,${undone}` },
      })),
    ),
    { method: "PUT", path: "/diary?id=eq.10", body: '{"id":10,"text":"x"}', headers: shown },
    { method: "POST", path: "/rpc/how_many", body: "{}" },
    { method: "POST", path: "/rpc/diary_of", body: '{"word":""}', headers: counted },
  ];
}
