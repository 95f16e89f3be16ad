import { isLoopbackHost } from "../../../kernel/loopback.ts";
import { type Call, empty, json, type Reply, type Route, type RouteGroup } from "../../../kernel/route.ts";
import { problemJson } from "../../../platform/http/boundary.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import { mailDocument, mailHeaders } from "./mail-view.ts";
import { pageRoutes } from "./page.ts";
import { problems } from "./problems.ts";
import { type InboxEntry, type InboxMail, inboxStore } from "./store.ts";

const listMax = 500;
const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Only for people and tests on this machine: `Host` must name it, so that no foreign name that leads here (DNS rebinding)
 * works, and a browser must not come from another site's page. Tests and tools send neither `Origin` nor `Sec-Fetch-Site`.
 */
function guarded(route: Route): Route {
  return {
    ...route,
    handle(call) {
      if (!isLoopbackHost(call.headers.host) || isForeign(call)) throw problems.elsewhere();
      return route.handle(call);
    },
  };
}

function isForeign({ headers }: Call): boolean {
  const site = headers["sec-fetch-site"];
  if (site === "cross-site" || site === "same-site") {
    // Following a link from elsewhere to the page itself shows it to the person, and to nobody else.
    return headers["sec-fetch-mode"] !== "navigate" || headers["sec-fetch-dest"] !== "document";
  }
  const { origin } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== headers.host;
}

export function inboxGroup(db: Database): RouteGroup {
  const found = async (id: string): Promise<InboxEntry> => {
    const entry = uuid.test(id) ? await inboxStore.find(db, id) : null;
    if (entry === null) throw problems.messageNotFound();
    return entry;
  };
  const routes: readonly Route[] = [
    ...pageRoutes(),
    {
      method: "GET",
      path: "/mails/:id",
      access: "open",
      summary: "One mail as its reader sees it, shut in: no script, no form, nothing of ours.",
      async handle({ params: { id = "" } }): Promise<Reply> {
        const { kind, content } = await found(id);
        if (kind !== "mail") throw problems.messageNotFound();
        await inboxStore.markRead(db, id);
        // `kind` says which of the two it is.
        return { status: 200, headers: mailHeaders, body: mailDocument((content as InboxMail).html) };
      },
    },
    {
      method: "GET",
      path: "/api/messages",
      access: "open",
      summary: "Caught messages, newest first; `to`, `kind` and `limit` choose among them.",
      async handle(call) {
        const query = new URLSearchParams(call.query);
        const limit = Number(query.get("limit") ?? 50);
        if (!Number.isInteger(limit) || limit < 1 || limit > listMax) {
          throw problems.badQuery(`limit must be a whole number from 1 to ${listMax}.`);
        }
        const entries = await inboxStore.list(db, { to: query.get("to"), kind: query.get("kind"), limit });
        return json({ messages: entries.map(entryJson) }, 200, noStore);
      },
    },
    {
      method: "DELETE",
      path: "/api/messages",
      access: "open",
      summary: "Empties the inbox.",
      async handle() {
        await inboxStore.clear(db);
        return empty(204, noStore);
      },
    },
    {
      method: "GET",
      path: "/api/messages/:id",
      access: "open",
      summary: "One caught message, whole.",
      async handle({ params: { id = "" } }) {
        const entry = await found(id);
        await inboxStore.markRead(db, id);
        return json(entryJson({ ...entry, isRead: true }), 200, noStore);
      },
    },
    {
      method: "DELETE",
      path: "/api/messages/:id",
      access: "open",
      summary: "Removes one message from the inbox.",
      async handle({ params: { id = "" } }) {
        if (!uuid.test(id) || !(await inboxStore.remove(db, id))) throw problems.messageNotFound();
        return empty(204, noStore);
      },
    },
  ];
  return { mount: "/inbox", boundary: problemJson, cors: null, routes: routes.map(guarded) };
}

const noStore = ["Cache-Control", "no-store", "X-Content-Type-Options", "nosniff"];

/** A message on the wire: a mail's `subject`, `text`, `html` and a text message's `body` stand beside what both have. */
const entryJson = ({ id, kind, to, receivedAt, isRead, content }: InboxEntry): Record<string, unknown> => ({
  id,
  kind,
  to,
  received_at: receivedAt,
  is_read: isRead,
  ...Object.fromEntries(
    Object.entries(content).map(([name, value]) => [name === "messageId" ? "message_id" : name, value]),
  ),
});
