import type { Method, Route } from "../../kernel/route.ts";
import type { StoragePart } from "./part.ts";
import { problems } from "./problems.ts";

/**
 * What clients of Supabase may ask for and Mainstay has not. By name, so that who asks learns that it is not there, and not that an address is wrong
 * or a bucket is missing.
 */
export function notServedPart(): StoragePart {
  const all: readonly Method[] = ["GET", "HEAD", "POST", "PUT", "DELETE"];
  const off = (what: string, path: string, method: readonly Method[]): Route => ({
    method,
    path,
    access: "open",
    summary: `${what}: not available.`,
    async handle() {
      throw problems.featureNotEnabled(what);
    },
  });
  return {
    routes: [
      off("A bucket's lifecycle", "/bucket/:id/lifecycle", ["GET", "PUT", "DELETE"]),
      off("Storage of tables", "/iceberg/*", all),
      off("Storage of vectors", "/vector/*", all),
    ],
  };
}
