import { createRequire } from "node:module";
import type { Admin, Db } from "@mainstay/functions";
import type * as AuthJs from "@supabase/auth-js";
import type * as PostgrestJs from "@supabase/postgrest-js";
import type * as StorageJs from "@supabase/storage-js";
import { wireFetch } from "../http/wire-fetch.ts";
import type { Wire } from "../wire.ts";

/** Loaded by who first asks for one: a function that needs no client waits for none. */
const load = createRequire(import.meta.url);
const postgrest = () => load("@supabase/postgrest-js") as typeof PostgrestJs;
const storage = () => load("@supabase/storage-js") as typeof StorageJs;
const auth = () => load("@supabase/auth-js") as typeof AuthJs;

export function createDb(projectUrl: string, wire: Wire, as: "caller" | "admin"): Db {
  return new (postgrest().PostgrestClient)(`${projectUrl}/rest/v1`, { fetch: wireFetch(wire, as) }) as unknown as Db;
}

export function createStorage(projectUrl: string, wire: Wire, as: "caller" | "admin"): StorageJs.StorageClient {
  return new (storage().StorageClient)(`${projectUrl}/storage/v1`, {}, wireFetch(wire, as));
}

export function createAdmin(projectUrl: string, wire: Wire): Admin {
  let files: StorageJs.StorageClient | undefined;
  let accounts: { readonly admin: AuthJs.GoTrueAdminApi } | undefined;
  return Object.defineProperties(createDb(projectUrl, wire, "admin"), {
    storage: {
      get() {
        files ??= createStorage(projectUrl, wire, "admin");
        return files;
      },
    },
    auth: {
      get() {
        accounts ??= {
          admin: new (auth().GoTrueAdminApi)({ url: `${projectUrl}/auth/v1`, fetch: wireFetch(wire, "admin") }),
        };
        return accounts;
      },
    },
  }) as Admin;
}
