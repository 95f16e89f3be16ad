import type { Call, CorsPolicy, Method, Reply, Route } from "../../kernel/route.ts";
import type { DatabaseFunction, Relation } from "../../platform/postgres/catalog/types.ts";
import type { Handler } from "./handle.ts";
import { problems } from "./problems.ts";
import { requestedSchema } from "./schema.ts";

/** What browsers may send and read (PostgREST docs, CORS), and when to come again after a 503. */
export const dataCors: CorsPolicy = {
  allowMethods: "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD",
  allowHeaders: "Authorization, Accept, Accept-Language, Content-Language",
  exposeHeaders:
    "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit, Retry-After",
  maxAgeSeconds: 86_400,
};

const everyMethod: readonly Method[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** The three paths of the dialect. */
export function dataRoutes(
  handler: Handler,
  root: (call: Call) => Promise<Reply>,
  bodyLimitBytes: number,
): readonly Route[] {
  return [
    {
      method: everyMethod,
      path: "/",
      access: "caller",
      summary: "Describes the tables and functions served, as OpenAPI.",
      handle: (call) => {
        if (call.method === "OPTIONS") return allow("OPTIONS,GET,HEAD");
        if (call.method !== "GET" && call.method !== "HEAD") throw problems.unsupportedMethod(call.method);
        return root(call);
      },
    },
    {
      method: everyMethod,
      path: "/:relation",
      access: "caller",
      summary: "Reads and writes a table or view.",
      bodyLimitBytes,
      handle: (call) => {
        const name = call.params.relation ?? "";
        if (call.method === "OPTIONS") return allow(relationMethods(relationOf(handler, call, name)));
        return handler.handle(call, { kind: "relation", name });
      },
    },
    {
      method: everyMethod,
      path: "/rpc/:function",
      access: "caller",
      summary: "Calls a function.",
      bodyLimitBytes,
      handle: (call) => {
        const name = call.params.function ?? "";
        if (call.method === "OPTIONS") return allow(functionMethods(functionsOf(handler, call, name)));
        if (call.method !== "GET" && call.method !== "HEAD" && call.method !== "POST") {
          throw problems.functionMethod(call.method);
        }
        return handler.handle(call, { kind: "function", name });
      },
    },
  ];
}

function allow(methods: string): Reply {
  return { status: 200, headers: ["Allow", methods], body: "" };
}

function relationOf(handler: Handler, call: Call, name: string): Relation {
  const schema = requestedSchema(call, handler.era().settings).schema;
  const relation = handler.era().catalog.relation(schema, name);
  if (relation === null) throw problems.noRelation(schema, name);
  return relation;
}

function relationMethods({ isInsertable, isUpdatable, isDeletable, primaryKey }: Relation): string {
  const methods = ["OPTIONS", "GET", "HEAD"];
  if (isInsertable) methods.push("POST");
  if (isInsertable && isUpdatable && primaryKey.length > 0) methods.push("PUT");
  if (isUpdatable) methods.push("PATCH");
  if (isDeletable) methods.push("DELETE");
  return methods.join(",");
}

function functionsOf(handler: Handler, call: Call, name: string): readonly DatabaseFunction[] {
  const schema = requestedSchema(call, handler.era().settings).schema;
  const overloads = handler.era().catalog.functions(schema, name);
  if (overloads.length === 0) throw problems.noFunction(schema, name, [], "without parameters");
  return overloads;
}

function functionMethods(overloads: readonly DatabaseFunction[]): string {
  return overloads.every(({ volatility }) => volatility === "volatile") ? "OPTIONS,POST" : "OPTIONS,GET,HEAD,POST";
}
