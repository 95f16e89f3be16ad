import { testDatabase } from "@mainstay/testing";
import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Call, Method, Reply, Route } from "../../../kernel/route.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { openCatalog } from "../../../platform/postgres/catalog/index.ts";
import type { Catalog, CatalogHolder } from "../../../platform/postgres/catalog/types.ts";
import { type Database, openDatabase } from "../../../platform/postgres/database.ts";
import { openSession } from "../../../platform/postgres/session/index.ts";
import type { Flight, Session } from "../../../platform/postgres/session/types.ts";
import { postgresSettings } from "../../../platform/postgres/settings.ts";
import { dataBoundary } from "../boundary.ts";
import type { DataSettings } from "../effective.ts";
import { createData } from "../index.ts";
import { type QueryLimits, queryLimitSettings } from "../parse/index.ts";
import { dataSettings } from "../settings.ts";

/** One request of a test, with everything but the path optional. */
export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly who?: Principal;
}

export interface Answered {
  readonly status: number;
  readonly statusText: string | undefined;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  json(): unknown;
}

/** The data capability on a database of its own. */
export interface DataUnderTest {
  readonly database: Database;
  readonly session: Session;
  readonly catalog: CatalogHolder;
  /** Every flight so far, newest last. */
  readonly flights: Flight[];
  request(method: Method, path: string, asked?: Asked): Promise<Answered>;
  /** As `request`, without reading the body. */
  reply(method: Method, path: string, asked?: Asked): Promise<Reply>;
  /** The same database under other settings. */
  withSettings(settings: Partial<DataSettings & QueryLimits>): DataUnderTest;
  /** The same database as another catalogue describes it. */
  withCatalog(catalog: Catalog): DataUnderTest;
  close(): Promise<void>;
}

export function principal(role: string, claims: Readonly<Record<string, unknown>> = {}): Principal {
  const all = { role, ...claims };
  return {
    role,
    claims: all,
    claimsJson: JSON.stringify(all),
    subject: typeof all["sub" as keyof typeof all] === "string" ? String(all["sub" as keyof typeof all]) : null,
    isAuthenticated: role !== "anon",
    expiresAtMs: Number.POSITIVE_INFINITY,
  };
}

export const anon = principal("anon");
export const service = principal("service_role");
export const alice = principal("authenticated", { sub: "11111111-1111-1111-1111-111111111111" });
export const bob = principal("authenticated", { sub: "22222222-2222-2222-2222-222222222222" });

// The roles of the cluster are shared by all test files, which may make them at the same time.
const roles = `
do $$ declare r text; begin
  foreach r in array array['anon', 'authenticated', 'service_role'] loop
    begin
      execute format('create role %I nologin', r);
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
end $$;
create schema if not exists mainstay;
grant usage on schema mainstay, public to anon, authenticated, service_role;
create function mainstay.reject(code text, message text, details text, hint text) returns text
language plpgsql volatile as $$ begin
  raise sqlstate 'MST01' using message = coalesce(message, code),
    detail = json_build_object('code', code, 'message', message, 'details', details, 'hint', hint)::text, hint = coalesce(hint, '');
end $$;
alter default privileges in schema public grant all on tables to service_role;
alter default privileges in schema public grant usage on sequences to anon, authenticated, service_role;
`;

/** Creates a database, runs `schema` in it and serves it. The caller closes it. */
export async function openDataUnderTest(
  schema: string,
  settings: Partial<DataSettings & QueryLimits> = {},
): Promise<DataUnderTest> {
  const { url, drop } = await testDatabase();
  const database = openDatabase({ connectionString: url });
  const client = await database.connect();
  await client.query(roles);
  await client.query(schema);
  await client.end();
  const all = { ...defaults(), ...settings };
  const catalog = await openCatalog({
    database,
    schemas: () => [...new Set([...all.schemas, ...all.extraSearchPath])],
    // A test that cannot read its catalogue should say why rather than fail on everything else.
    observe: (each) => {
      if (each.kind === "catalog.failed") console.error(each.error);
    },
  });
  const { hostname, port, username, password, pathname } = new URL(url);
  const opened = await openSession({
    target: {
      host: hostname,
      port: Number(port),
      user: username,
      password,
      database: pathname.slice(1),
      tls: { mode: "disable", rootCertificatePath: null },
      applicationName: null,
    },
    settings: readSettings(postgresSettings, { env: {} }).values,
    observe: () => {},
  });
  const flights: Flight[] = [];
  const session: Session = {
    ...opened,
    fly: (flight) => {
      flights.push(flight);
      return opened.fly(flight);
    },
    stream: (flight) => {
      flights.push(flight);
      return opened.stream(flight);
    },
  };
  return serve(all, catalog);

  function serve(current: DataSettings & QueryLimits, holder: CatalogHolder): DataUnderTest {
    const { routes } = createData({ session, catalog: holder, settings: current, observe: () => {} });
    const group = routes[0]!;
    const reply = async (method: Method, path: string, asked: Asked = {}): Promise<Reply> => {
      const call = callOf(method, `${group.mount}${path}`, asked, group.routes);
      try {
        return await call.route.handle(call.call);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        return dataBoundary.render(error, call.call);
      }
    };
    return {
      database,
      session,
      catalog,
      flights,
      reply,
      request: async (method, path, asked) => read(await reply(method, path, asked)),
      withSettings: (more) => serve({ ...current, ...more }, holder),
      withCatalog: (fixed) => serve(current, { ...catalog, current: () => fixed }),
      async close() {
        await session.close();
        await catalog.close();
        await database.close();
        await drop();
      },
    };
  }
}

export function defaults(): DataSettings & QueryLimits {
  return {
    ...readSettings(dataSettings, { env: {} }).values,
    ...readSettings(queryLimitSettings, { env: {} }).values,
  };
}

function callOf(method: Method, target: string, asked: Asked, routes: readonly Route[]): { call: Call; route: Route } {
  const [path = "", query = ""] = splitOnce(target, "?");
  const segments = path.split("/").slice(3).map(decodeURIComponent);
  const isCall = segments[0] === "rpc" && segments.length === 2;
  const pattern = segments[0] === "" ? "/" : isCall ? "/rpc/:function" : "/:relation";
  const route = routes.find((each) => each.path === pattern)!;
  const body = asked.body === undefined ? Buffer.alloc(0) : Buffer.from(asked.body);
  const call: Call = {
    id: "test",
    method,
    path,
    query,
    params: isCall ? { function: segments[1]! } : { relation: segments[0]! },
    headers: Object.fromEntries(
      Object.entries(asked.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    who: asked.who ?? service,
    address: "127.0.0.1",
    origin: "http://127.0.0.1:54321",
    signal: new AbortController().signal,
    body: async () => body,
    async *stream() {
      yield body;
    },
  };
  return { call, route };
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

async function read({ status, statusText, headers, body }: Reply): Promise<Answered> {
  const parts: Buffer[] = [];
  if (typeof body === "string" || Buffer.isBuffer(body)) parts.push(Buffer.from(body));
  else if (body !== null) for await (const chunk of body) parts.push(Buffer.from(chunk));
  const text = Buffer.concat(parts).toString("utf8");
  const named: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2) named[headers[at]!.toLowerCase()] = headers[at + 1]!;
  return { status, statusText, headers: named, text, json: () => JSON.parse(text) as unknown };
}
