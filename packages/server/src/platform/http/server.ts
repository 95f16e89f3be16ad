import { createServer, type Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { Problem } from "../../kernel/problem.ts";
import type { Reply, RouteGroup } from "../../kernel/route.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Identity } from "../identity/types.ts";
import type { Observe } from "../observe/observation.ts";
import { trustedProxies } from "./address.ts";
import { BodyMemory, Request } from "./body.ts";
import { HttpCall, type Platform, type Refuse } from "./call.ts";
import { connectionIsAt, refuseBytes, reportDropped } from "./connections.ts";
import { healthRoutes, type Readiness } from "./health.ts";
import { InFlight } from "./in-flight.ts";
import type { Internal } from "./internal.ts";
import { listen } from "./listen.ts";
import { replyTo, run } from "./pipeline.ts";
import { requestIds } from "./request-id.ts";
import { type Dispatch, type Listener, openRouter } from "./router.ts";
import { send } from "./send.ts";
import type { httpSettings } from "./settings.ts";
import { type UpgradeHandler, Upgrades } from "./upgrades.ts";

export interface HttpServerNeeds {
  readonly groups: readonly RouteGroup[];
  readonly identity: Identity;
  readonly observe: Observe;
  readonly settings: Values<typeof httpSettings>;
  /** State others keep; must be cheap (threat X10). `draining` is added here. */
  readonly isReady: () => Readiness;
  /** Requests from within: they go where those of the socket go, from now on. */
  readonly internal?: Internal;
}

/** A listening server. */
export interface HttpServer {
  /** `http://127.0.0.1:54321`, with the port that was really taken. */
  readonly url: string;
  readonly port: number;
  /** Requests being worked on now. */
  inFlightCount(): number;
  /** Hands websockets at `path` (exact, without query) to `handler`. */
  onUpgrade(path: string, handler: UpgradeHandler): void;
  /**
   * Stops accepting, lets what is in flight finish for at most `drainMs` or until `signal` aborts, then cuts the rest and
   * says how many were cut.
   */
  stop(signal?: AbortSignal): Promise<void>;
}

/**
 * Opens the one port everything is served on. The caller closes it with `stop`.
 * @throws Problem when it cannot listen there; TypeError when a trusted proxy is no network.
 */
export async function openHttpServer(needs: HttpServerNeeds): Promise<HttpServer> {
  const { settings, observe } = needs;
  const platform = createPlatform(needs);
  const readiness = (): Readiness => {
    const readiness = needs.isReady();
    return { ...readiness, parts: { ...readiness.parts, server: platform.isDraining ? "draining" : "ok" } };
  };
  const upgrades = new Upgrades(platform.isTrusted);
  const router = await openRouter({
    groups: [healthRoutes(readiness), ...needs.groups],
    corsOrigins: settings.corsOrigins,
    bodyLimitBytes: settings.bodyLimitBytes,
    receiveTimeoutMs: settings.receiveTimeoutMs,
    urlLimitBytes: settings.urlLimitBytes,
    dispatch: dispatcher(platform),
    createServer: (listener) => createNodeServer(settings, listener, upgrades),
    refuseBytes,
  });
  needs.internal?.attach({ find: router.find, bodyMemory: platform.bodyMemory });
  const { server } = router;
  reportDropped(server, observe);
  let listening: Awaited<ReturnType<typeof listen>>;
  try {
    listening = await listen(server, settings.host, settings.port);
  } catch (error) {
    platform.inFlight.close();
    throw error;
  }
  observe({ kind: "server.listening", url: listening.url });

  let stopping: Promise<void> | null = null;
  return {
    ...listening,
    inFlightCount: () => platform.inFlight.count,
    onUpgrade(path, handler) {
      // Without a listener Node treats a request to upgrade as an ordinary one, so there is none until it is needed.
      if (server.listenerCount("upgrade") === 0) server.on("upgrade", upgrades.accept.bind(upgrades));
      upgrades.set(path, handler);
    },
    stop(signal) {
      stopping ??= stop(server, platform, upgrades, settings, signal).finally(() => router.close());
      return stopping;
    },
  };
}

function createPlatform({ identity, observe, settings }: HttpServerNeeds): Platform {
  return {
    identity,
    observe,
    inFlight: new InFlight(settings),
    bodyMemory: new BodyMemory(settings.bodyMemoryLimitBytes),
    isTrusted: trustedProxies(settings.trustedProxies),
    nextRequestId: requestIds(),
    urlLimitBytes: settings.urlLimitBytes,
    headersLimitCount: settings.headersLimitCount,
    requestsPerConnectionLimit: settings.requestsPerConnectionLimit,
    inFlightLimit: settings.inFlightLimit,
    bodyAheadBytes: settings.bodyAheadBytes,
    bodyStallMs: settings.bodyStallMs,
    requestTimeoutMs: settings.requestTimeoutMs,
    replyStallMs: settings.replyStallMs,
    isWatched: observe.wants?.("request.finished") ?? true,
    isDraining: false,
  };
}

/** The way of every request: hold it, run the pipeline, send what comes out. Synchronous as long as the route is. */
function dispatcher(platform: Platform): Dispatch {
  const refuse: Refuse = (call, thrown) => {
    if (!call.isReplying) send(call, replyTo(thrown, call));
    else if (isBug(thrown)) platform.observe({ kind: "request.failed", id: call.id, error: thrown });
  };
  const sendLater = async (call: HttpCall, reply: Promise<Reply>) => {
    try {
      send(call, await reply);
    } catch (error) {
      refuse(call, error);
    }
  };
  return (request, response, params, target) => {
    const call = new HttpCall(request, response, params, target, platform, refuse);
    call.isLastOfConnection = connectionIsAt(call, platform.requestsPerConnectionLimit);
    platform.inFlight.add(call);
    try {
      const reply = run(call);
      if (reply instanceof Promise) void sendLater(call, reply);
      else send(call, reply);
    } catch (error) {
      refuse(call, error);
    }
  };
}

/** After the deadline or a lost connection an aborted wait is expected; anything else that is no Problem is still ours to know. */
const isBug = (thrown: unknown) =>
  !(thrown instanceof Problem) && !(thrown instanceof Error && thrown.name === "AbortError");

function createNodeServer(settings: Values<typeof httpSettings>, listener: Listener, upgrades: Upgrades): Server {
  const server = createServer(
    {
      IncomingMessage: Request,
      insecureHTTPParser: false,
      maxHeaderSize: settings.headersLimitBytes,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: 0, // some routes take gigabytes: `InFlight` watches over bodies, by route
      keepAliveTimeout: settings.keepAliveMs,
      connectionsCheckingInterval: Math.min(2000, Math.max(25, Math.floor(settings.headersTimeoutMs / 4))),
      // Phones vanish without a word: TCP finds out after a minute what HTTP would never.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      optimizeEmptyRequests: true,
      shouldUpgradeCallback: (request) => upgrades.isServed(request),
    },
    listener,
  );
  server.maxHeadersCount = settings.headersLimitCount + 1; // Node drops the rest silently; one more tells us there were more
  server.maxConnections = settings.connectionsLimit;
  server.on("checkContinue", listener); // so that a refusal can come before the body
  return server;
}

/** How often a stopping server looks for connections that have become idle. */
const idleSweepMs = 20;

async function stop(
  server: Server,
  platform: Platform,
  upgrades: Upgrades,
  settings: Values<typeof httpSettings>,
  signal: AbortSignal | undefined,
): Promise<void> {
  platform.isDraining = true;
  upgrades.stopAccepting();
  const patience = AbortSignal.any([
    AbortSignal.timeout(settings.drainDelayMs + settings.drainMs),
    ...(signal === undefined ? [] : [signal]),
  ]);
  if (settings.drainDelayMs > 0) await delay(settings.drainDelayMs, undefined, { signal: patience }).catch(() => {});
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A reply that had begun before promised to keep its connection: that becomes idle only now, and Node looks once.
  const sweep = setInterval(() => server.closeIdleConnections(), idleSweepMs);
  const outOfPatience = new Promise<void>((resolve) => {
    if (patience.aborted) resolve();
    else patience.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([closed, outOfPatience]);
  const cut = platform.inFlight.count + upgrades.destroyAll();
  if (cut > 0) observeCut(platform, cut);
  server.closeAllConnections();
  await closed;
  clearInterval(sweep);
  platform.inFlight.close();
}

function observeCut(platform: Platform, count: number): void {
  const message = `${count} requests or websockets were cut off: they did not end in time (MAINSTAY_DRAIN_MS).`;
  platform.observe({ kind: "warning", area: "http", message });
}
