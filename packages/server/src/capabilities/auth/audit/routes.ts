import { json, type Route } from "../../../kernel/route.ts";
import type { AuthContext } from "../context.ts";
import { pageHeaders, pageOf } from "../paging.ts";
import { problems } from "../problems.ts";
import { isPrivate } from "../reply.ts";
import { verifySeals } from "./seals.ts";
import { auditStore, searchScopes } from "./store.ts";

/** Longest text searched for, in characters. */
const searchMaxLength = 256;

export function auditRoutes({ db, signer }: AuthContext): readonly Route[] {
  return [
    {
      method: "GET",
      path: "/admin/audit/verify",
      access: "service",
      summary: "Whether the audit log is as it was sealed; `head=` of an earlier answer is looked for in the chain.",
      async handle(call) {
        const head = new URLSearchParams(call.query).get("head") ?? "";
        if (head !== "" && !/^\d{1,15}:[0-9a-f]{64}$/.test(head)) {
          throw problems.validationFailed("head must be that of an earlier answer");
        }
        const { faults, ...verdict } = await verifySeals({ db, signer }, head);
        return json({ is_intact: faults.length === 0, ...verdict, faults }, 200, isPrivate);
      },
    },
    {
      method: "GET",
      path: "/admin/audit",
      access: "service",
      summary: "The audit log, newest first, a page at a time; `query=action:login` searches it.",
      async handle(call) {
        const query = new URLSearchParams(call.query);
        const page = pageOf(query);
        const asked = query.get("query") ?? "";
        const { entries, total } = await auditStore.list(db, page, searchOf(asked));
        const headers = pageHeaders("/admin/audit", page, total, asked === "" ? [] : [["query", asked]]);
        return json(entries, 200, [...isPrivate, ...headers]);
      },
    },
  ];
}

/** `author:`, `action:` or `type:`, and what to look for. @throws Problem for any other scope */
function searchOf(asked: string): { readonly keys: readonly string[]; readonly text: string } | null {
  if (asked === "") return null;
  const at = asked.indexOf(":");
  const keys = at < 0 ? undefined : Object.entries(searchScopes).find(([scope]) => scope === asked.slice(0, at))?.[1];
  if (keys === undefined) throw problems.validationFailed(`Invalid query scope: ${asked.slice(0, 64)}`);
  const text = asked.slice(at + 1);
  if (text.length > searchMaxLength || text.includes("\0") || !text.isWellFormed()) {
    throw problems.validationFailed("query is too long or holds characters that cannot be searched for");
  }
  return { keys, text };
}
