import type { Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import Fastify, { type HTTPMethods } from "fastify";
import type { Method, Route, RouteGroup } from "../../kernel/route.ts";
import type { Request } from "./body.ts";
import { gatewayCors, problemJson } from "./boundary.ts";
import type { Target } from "./call.ts";
import { closedCors, createCors } from "./cors.ts";
import { hostNameOf } from "./host.ts";
import { problems } from "./problems.ts";

export type Params = Readonly<Record<string, string>>;
export type Dispatch = (request: Request, response: ServerResponse, params: Params, target: Target) => void;
/** Where a request with this method and target would go, without there being one. */
export type FindRoute = (method: string, url: string) => { readonly target: Target; readonly params: Params };
export type Listener = (request: Request, response: ServerResponse) => void;

export interface RouterNeeds {
  readonly groups: readonly RouteGroup[];
  readonly corsOrigins: readonly string[];
  readonly bodyLimitBytes: number;
  readonly receiveTimeoutMs: number;
  readonly urlLimitBytes: number;
  readonly dispatch: Dispatch;
  readonly createServer: (listener: Listener) => Server;
  /** Answers bytes that are not HTTP. Given to Fastify, which otherwise answers them itself, before anybody else. */
  readonly refuseBytes: (error: NodeJS.ErrnoException, socket: Duplex) => void;
}

const noParams: Params = Object.freeze(Object.create(null));
const noQuery = Object.freeze(Object.create(null));

const noSchemas = (): never => {
  throw new Error("Routes have no schemas: what a body says is their own business.");
};

/**
 * Every request to its target. Fastify finds the route and does no more: it parses neither query nor body, runs no
 * serialiser and answers nothing itself. We take over in `onRequest`, the first hook, and never call on: that is before it
 * looks at the body, whose content type is the route's business.
 * @throws when two routes share a method and path.
 */
export async function openRouter(
  needs: RouterNeeds,
): Promise<{ readonly server: Server; readonly find: FindRoute; close(): Promise<void> }> {
  const { dispatch } = needs;
  const groups = needs.groups.filter(({ hosts }) => hosts === undefined);
  const targets = groups.map((group) => ({
    group,
    targetOf: targetFactory(group, needs),
  }));
  const misses = missing({ ...needs, groups });
  const hosts = hostTargets(needs);
  let methods: ReadonlySet<string> = new Set();
  const router = Fastify<Server, Request>({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    // Left to itself it loads the compilers of schemas, which no route of ours has: 30 ms of a start and 2 MB.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    routerOptions: { maxParamLength: needs.urlLimitBytes, querystringParser: () => noQuery },
    serverFactory: (handler) =>
      needs.createServer((request, response) => {
        const host = hosts.size === 0 ? undefined : hosts.get(hostNameOf(request.headers.host));
        if (host !== undefined) dispatch(request, response, noParams, host(request.method!));
        else if (methods.has(request.method!)) handler(request, response);
        else dispatch(request, response, noParams, misses.targetFor(request.url!));
      }),
    clientErrorHandler: needs.refuseBytes,
    frameworkErrors: (_error, { raw: request }, reply) => {
      const target = misses.malformedFor(request.url!);
      if (isProbe(request)) request.found = { target, params: noParams };
      else dispatch(request as Request, reply.raw, noParams, target);
    },
  });
  methods = new Set(router.supportedMethods); // a getter that makes a list
  const register = (
    method: readonly HTTPMethods[],
    url: string,
    target: (request: { readonly url?: string | undefined }) => Target,
  ) =>
    router.route({
      method: [...method],
      url,
      onRequest: ({ raw, params }, reply, _next) => {
        if (isProbe(raw)) raw.found = { target: target(raw), params: params as Params };
        else dispatch(raw, reply.raw, params as Params, target(raw));
      },
      handler: () => {
        throw new Error("onRequest has taken the request over");
      },
    });
  for (const { group, targetOf } of targets) {
    for (const route of group.routes) {
      const target = targetOf(route);
      // What serves all the rest leaves the refusals under a mount to that mount.
      const find = isRest(group, route)
        ? (request: { readonly url?: string | undefined }) => misses.mountedFor(request.url!) ?? target
        : () => target;
      for (const url of urlsOf(group, route)) register(methodsOf(route, group), url, find);
    }
  }
  const rest = new Set<string>(
    groups.flatMap((group) =>
      group.routes.filter((route) => isRest(group, route)).flatMap((route) => methodsOf(route, group)),
    ),
  );
  const unserved = (router.supportedMethods as HTTPMethods[]).filter((method) => !rest.has(method));
  register(unserved, "*", (request) => misses.targetFor(request.url!));
  await router.ready();
  const find: FindRoute = (method, url) => {
    if (!methods.has(method)) return { target: misses.targetFor(url), params: noParams };
    const probe = new Probe(method, url);
    router.routing(probe as unknown as Request, noResponse);
    return probe.found ?? { target: misses.targetFor(url), params: noParams };
  };
  return { server: router.server, find, close: () => router.close() };
}

/** What stands where a request would, for the router's answer alone: so that who asks from within is sent where a socket would be. */
class Probe {
  readonly method: string;
  readonly url: string;
  readonly headers = {};
  /** Of a request with this Fastify touches no connection. */
  readonly httpVersionMajor = 2;
  found: ReturnType<FindRoute> | null = null;

  constructor(method: string, url: string) {
    this.method = method;
    this.url = url;
  }
}

const isProbe = (request: unknown): request is Probe => request instanceof Probe;

/** Nothing is ever written to it. */
const noResponse = {} as ServerResponse;

/** Whether a route serves all that no other does. */
const isRest = (group: RouteGroup, route: Route): boolean => group.mount === "" && route.path === "*";

/** The mount itself is the same place as the mount with a slash. */
function urlsOf(group: RouteGroup, route: Route): string[] {
  if (route.path !== "/" || group.mount === "") return [group.mount + route.path];
  return [group.mount, `${group.mount}/`];
}

/** What a route serves: a GET serves HEAD too (RFC 9110 §9.3.2), unless the group has a route of its own for that. */
function methodsOf(route: Route, group: RouteGroup): Method[] {
  const methods = listOf(route.method);
  const hasHead = group.routes.some((other) => other.path === route.path && listOf(other.method).includes("HEAD"));
  return methods.includes("GET") && !hasHead ? [...methods, "HEAD"] : [...methods];
}

const listOf = (method: Route["method"]): readonly Method[] => (typeof method === "string" ? [method] : method);

function targetFactory(group: RouteGroup, needs: RouterNeeds): (route: Route) => Target {
  const cors = group.cors === null ? closedCors : createCors(group.cors, needs.corsOrigins);
  return (route) => ({
    group,
    cors,
    route,
    bodyLimitBytes: route.bodyLimitBytes ?? needs.bodyLimitBytes,
    receiveTimeoutMs: route.receiveTimeoutMs ?? needs.receiveTimeoutMs,
  });
}

/** Targets for what no route serves: the mount a path is under gives the shape of the refusal. */
function missing(needs: RouterNeeds): {
  targetFor(url: string): Target;
  /** Only for what is under a mount. */
  mountedFor(url: string): Target | undefined;
  malformedFor(url: string): Target;
} {
  const nowhere: RouteGroup = { mount: "", boundary: problemJson, cors: gatewayCors, routes: [] };
  const byLength = [...needs.groups, nowhere]
    .sort((a, b) => b.mount.length - a.mount.length)
    .map((group) => {
      const targetOf = targetFactory(group, needs);
      const siblings = needs.groups.filter((other) => other.mount === group.mount);
      return { mount: group.mount, unserved: targetOf(unserved(siblings)), malformed: targetOf(malformed) };
    });
  const find = (url: string) => {
    const path = url.split("?", 1)[0]!;
    return byLength.find(({ mount }) => path === mount || path.startsWith(`${mount}/`)) ?? byLength.at(-1)!;
  };
  const mountedFor = (url: string) => {
    const found = find(url);
    return found.mount === "" ? undefined : found.unserved;
  };
  return { targetFor: (url) => find(url).unserved, mountedFor, malformedFor: (url) => find(url).malformed };
}

/** What answers on a host name that belongs to one group, by method. @throws when two groups claim a name */
function hostTargets(needs: RouterNeeds): ReadonlyMap<string, (method: string) => Target> {
  const targets = new Map<string, (method: string) => Target>();
  for (const group of needs.groups) {
    const [route] = group.routes;
    if (group.hosts === undefined || route === undefined) continue;
    const targetOf = targetFactory(group, needs);
    const [served, refused] = [targetOf(route), targetOf(unserved([group]))];
    const methods: readonly string[] = methodsOf(route, group);
    for (const host of group.hosts) {
      if (targets.has(host)) throw new Error(`The host ${host} is claimed twice.`);
      targets.set(host, (method) => (methods.includes(method) ? served : refused));
    }
  }
  return targets;
}

const malformed: Route = {
  method: "GET",
  path: "*",
  access: "open",
  summary: "Refuses a URL that cannot be decoded.",
  handle: () => {
    throw problems.malformedUrl();
  },
};

/** 405 where another method would do, 404 otherwise, and an answer to `OPTIONS` that says which methods there are. */
function unserved(groups: readonly RouteGroup[]): Route {
  return {
    method: "GET",
    path: "*",
    access: "open",
    summary: "Refuses what no route serves.",
    handle(call) {
      const allowed = new Set<Method>();
      for (const group of groups) {
        for (const route of group.routes) {
          if (!matches(call.path, group.mount + route.path)) continue;
          for (const method of methodsOf(route, group)) allowed.add(method);
        }
      }
      if (allowed.size === 0) throw problems.notFound();
      if ((call.method as string) === "OPTIONS") {
        return { status: 204, headers: ["Allow", [...allowed, "OPTIONS"].join(", ")], body: null };
      }
      throw problems.methodNotAllowed(call.method, [...allowed]);
    },
  };
}

function matches(path: string, pattern: string): boolean {
  const parts = path.split("/");
  const wanted = pattern.split("/");
  if (wanted.at(-1) === "*") return wanted.slice(0, -1).every((part, i) => fits(parts[i], part));
  if (wanted.at(-1) === "" && parts.length === wanted.length - 1) parts.push("");
  return parts.length === wanted.length && wanted.every((part, i) => fits(parts[i], part));
}

const fits = (part: string | undefined, wanted: string) =>
  part !== undefined && (part === wanted || (wanted.startsWith(":") && part !== ""));
