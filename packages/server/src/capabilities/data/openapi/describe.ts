import { Lru } from "../../../kernel/lru.ts";
import type { Call, Reply } from "../../../kernel/route.ts";
import type { Catalog } from "../../../platform/postgres/catalog/types.ts";
import type { Session } from "../../../platform/postgres/session/types.ts";
import { openApi } from "./document.ts";
import { readVisible, visibleStatement } from "./privileges.ts";

export interface DescribeOptions {
  readonly schema: string;
  /** False shows everything, whatever the caller may use. */
  readonly followsPrivileges: boolean;
  /** Public URL of the API with its mount; `null` takes the request's own `Host`. */
  readonly serverUrl: string | null;
  /** Path the API is mounted at: `/rest/v1`. */
  readonly mount: string;
  readonly isSecured: boolean;
}

export type Describe = (call: Call, catalog: Catalog, options: DescribeOptions) => Promise<Reply>;

/** Documents kept as text. One per role, schema and host is asked for again and again; hosts are the caller's, so few are kept. */
const keptDocuments = 16;

/**
 * Answers GET and HEAD at the root with the OpenAPI document of what the caller's role may use. A document lives as long as the
 * catalogue it describes: granting and revoking are DDL, so they make a new one.
 */
export function createDescribe(needs: { readonly session: Session; readonly version: string }): Describe {
  const documents = new Lru<string, string>(keptDocuments);
  return async (call, catalog, options) => {
    const role = options.followsPrivileges ? call.who.role : "";
    const serverUrl = serverUrlOf(call, options);
    const key = JSON.stringify([catalog.version, role, options.schema, serverUrl, options.isSecured]);
    let document = documents.get(key);
    if (document === undefined) {
      const visible = options.followsPrivileges ? await visibleTo(call) : null;
      document = JSON.stringify(openApi(catalog, { ...options, serverUrl, visible, version: needs.version }));
      documents.set(key, document);
    }
    return {
      status: 200,
      headers: ["Content-Type", "application/openapi+json; charset=utf-8"],
      body: call.method === "HEAD" ? null : document,
    };

    async function visibleTo({ who, signal }: Call) {
      const { rows } = await needs.session.fly({
        role: who.role,
        prologue: [],
        statement: visibleStatement(who.role, options.schema),
        lane: "read",
        isRetryable: true,
        signal,
      });
      return readVisible(rows);
    }
  };
}

function serverUrlOf(call: Call, { serverUrl, mount }: DescribeOptions): string {
  if (serverUrl !== null && URL.canParse(serverUrl)) return serverUrl;
  const asked = `http://${call.headers.host ?? "localhost"}${mount}`;
  return URL.canParse(asked) ? asked : `http://localhost${mount}`;
}
