import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { ImportedIdentity, ImportedUser } from "@mainstay/server";
import { csvRecords } from "./csv-records.ts";
import { dumpRecords } from "./dump-records.ts";
import { type FirebaseHashConfig, firebaseColumns, firebaseUser } from "./firebase.ts";
import { jsonRecords } from "./json-records.ts";
import { parseUser } from "./parse.ts";
import type { FileRecord, ReadRecord } from "./record.ts";
import { supabaseIdentity, supabaseUser } from "./supabase.ts";

export const sourceNames = ["supabase", "firebase", "parse", "csv"] as const;
export type SourceName = (typeof sourceNames)[number];

/** How one product's export is read. */
export interface Source {
  users(): AsyncIterable<ReadRecord>;
  user(record: FileRecord): ImportedUser;
  /** Identities that stand apart from their users, as in a dump; read in a second pass. */
  readonly identities: (() => AsyncIterable<ReadRecord>) | null;
  identity(record: FileRecord): ImportedIdentity & { readonly userId: string };
}

type Form = "json" | "csv" | "dump";

/** The source for a file, by the product's name and what the file begins with. */
export async function openSource(
  name: SourceName,
  path: string,
  hashConfig: FirebaseHashConfig | null,
): Promise<Source> {
  const form = name === "csv" ? "csv" : await formOf(path, name);
  const text = () => createReadStream(path, { encoding: "utf8" });
  const lines = () => createInterface({ input: text(), crlfDelay: Number.POSITIVE_INFINITY });
  const identity = (record: FileRecord) => supabaseIdentity(record.fields);
  switch (name) {
    case "firebase":
      return {
        users: () => (form === "csv" ? csvRecords(text(), firebaseColumns) : jsonRecords(text(), ["users"])),
        user: ({ fields }) => firebaseUser(fields, hashConfig),
        identities: null,
        identity,
      };
    case "parse":
      return {
        users: () => jsonRecords(text(), ["results"]),
        user: ({ fields }) => parseUser(fields),
        identities: null,
        identity,
      };
    default:
      return {
        users: () => {
          if (form === "dump") return dumpRecords(lines(), "auth.users");
          return form === "csv" ? csvRecords(text()) : jsonRecords(text(), ["users"]);
        },
        user: ({ fields }) => supabaseUser(fields),
        identities:
          form === "dump"
            ? () => dumpRecords(lines(), "auth.identities")
            : form === "json"
              ? () => jsonRecords(text(), ["identities"], { isOnlyUnderKeys: true })
              : null,
        identity,
      };
  }
}

async function formOf(path: string, name: SourceName): Promise<Form> {
  for await (const chunk of createReadStream(path, { encoding: "utf8", end: 4_095 })) {
    const start = String(chunk)
      .replace(/^\u{feff}/u, "")
      .trimStart();
    if (start.startsWith("{") || start.startsWith("[")) return "json";
    return name === "supabase" && /^(--|\\|set\s|copy\s|insert\s|begin\b|select\s|\/\*)/i.test(start) ? "dump" : "csv";
  }
  return "json";
}
