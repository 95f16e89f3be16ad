import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket as TcpSocket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { UpgradeRoute } from "../../../kernel/capability.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { RealtimeContext } from "../context.ts";
import type { Socket } from "../types.ts";
import { ClientSocket, closeCodes, type SocketHandler, type SocketNeeds } from "./client-socket.ts";
import { Counts } from "./counts.ts";
import { judgeHandshake, whoseKey } from "./handshake.ts";
import { Flusher } from "./outbox.ts";
import { problems } from "./problems.ts";
import { refuse } from "./refuse.ts";
import { spreadOver } from "./spread.ts";

/** The websockets of this node. */
export interface SocketServer {
  readonly upgrade: UpgradeRoute;
  /** Takes no more, and closes those there are (1012) over `realtimeDrainMs`. */
  drain(): void;
  /** Cuts what is left. Resolves when every handler has been told, or after `realtimeCloseMs`, or when the signal aborts. */
  stop(signal: AbortSignal): Promise<void>;
  stats(): SocketStats;
}

/** Counts since the start, but for the first two, which are of now. */
export interface SocketStats {
  readonly connections: number;
  readonly queuedBytes: number;
  readonly refused: number;
  readonly cutAsSlow: number;
  readonly cutAsFlood: number;
}

/** Fragments and reads of one message that ws keeps before it gives up (1008): many small ones take more memory than they carry. */
const fragmentsLimit = 1024;
const chunksLimit = 16_384;

/** How often the silent and the unfinished are looked for, at most. */
const sweepMs = 1000;

/** At most one warning of a kind in this time: what it warns of comes in floods. */
const warningEveryMs = 10_000;

/** Serves websockets at `/realtime/v1/websocket`. `open` is called for each when its handshake is done, before its first message. */
export function createSocketServer(
  context: Pick<RealtimeContext, "identity" | "settings" | "observe">,
  open: (socket: Socket) => SocketHandler,
): SocketServer {
  const { identity, settings, observe } = context;
  const sockets = new Set<ClientSocket>();
  const counts = new Counts({
    limit: settings.realtimeConnectionsLimit,
    limitPerAddress: settings.realtimeConnectionsPerAddressLimit,
  });
  const cuts = { slow: 0, flood: 0 };
  let refused = 0;
  let isDraining = false;
  let onEmpty: (() => void) | null = null;
  const idPrefix = randomBytes(6).toString("base64url");
  let lastId = 0;

  const needs: SocketNeeds = {
    settings,
    flusher: new Flusher(),
    nowMs: () => performance.now(),
    onFailed: (id, error) => observe({ kind: "request.failed", id, error }),
    onCut: (reason) => {
      cuts[reason] += 1;
    },
    onClosed(socket) {
      sockets.delete(socket);
      if (sockets.size === 0) onEmpty?.();
    },
  };

  const websockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compression costs some 300 kB per socket, and lets a few bytes become many (threat R10).
    perMessageDeflate: false,
    maxPayload: settings.realtimeMessageBytes,
    maxFragments: fragmentsLimit,
    maxBufferedChunks: chunksLimit,
    handleProtocols: protocolOf,
  });
  websockets.on("wsClientError", (error, socket, request) => {
    const version = request.headers["sec-websocket-version"];
    const headers = version === "13" ? {} : { "Sec-WebSocket-Version": "13" };
    turnAway(socket, problems.handshakeMalformed(error.message, headers));
  });

  const sweep = setInterval(sweepAll, Math.min(sweepMs, settings.realtimeIdleMs / 8)).unref();

  function turnAway(socket: Duplex, thrown: unknown): void {
    refused += 1;
    if (!(thrown instanceof Problem)) observe({ kind: "request.failed", id: "websocket handshake", error: thrown });
    else if (thrown.code === "realtime/too-many-connections") warnOfLimit();
    refuse(socket, thrown instanceof Problem ? thrown : problems.failed(thrown), settings.realtimeCloseMs);
  }

  const stopListening = identity.onKeysReplaced(endOfKeys);

  /** Those who came with a key that nobody may come with any more (threat A04). */
  function endOfKeys(): void {
    const good = new Map<string | null, boolean>();
    for (const socket of sockets) {
      const { keyText } = socket;
      if (!good.has(keyText)) good.set(keyText, isGood(keyText));
      if (!good.get(keyText)) socket.close(closeCodes.policy, "The API key is not valid any more");
    }
  }

  function isGood(keyText: string | null): boolean {
    try {
      whoseKey(identity, keyText);
      return true;
    } catch {
      return false;
    }
  }

  let warnedAtMs = Number.NEGATIVE_INFINITY;
  function warnOfLimit(): void {
    if (performance.now() - warnedAtMs < warningEveryMs) return;
    warnedAtMs = performance.now();
    const message = `More than ${settings.realtimeConnectionsLimit} websockets: new ones are refused (MAINSTAY_REALTIME_CONNECTIONS_LIMIT).`;
    observe({ kind: "warning", area: "realtime", message });
  }

  function accept(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void {
    try {
      if (isDraining) throw problems.stopping();
      const handshake = judgeHandshake(request, { identity, settings });
      const giveBack = counts.take(address);
      socket.once("close", giveBack);
      websockets.handleUpgrade(request, socket, head, (websocket: WebSocket) => {
        lastId += 1;
        const id = `${idPrefix}-${lastId.toString(36)}`;
        const tcp = socket as TcpSocket; // node:http listens on TCP only
        try {
          sockets.add(new ClientSocket({ ...handshake, id, address, websocket, tcp, open }, needs));
        } catch (error) {
          needs.onFailed(id, error);
          websocket.on("error", () => websocket.terminate());
          websocket.close(closeCodes.failed);
        }
      });
    } catch (error) {
      turnAway(socket, error);
    }
  }

  function sweepAll(): void {
    const nowMs = performance.now();
    let unfinishedBytes = 0;
    for (const socket of sockets) {
      socket.checkLife(nowMs);
      unfinishedBytes += socket.unfinishedBytes;
    }
    if (unfinishedBytes > settings.realtimeReceivingBytes) cutUnfinished(unfinishedBytes);
  }

  /** Those first that take most: whoever sends a large message for good reasons sends it again. */
  function cutUnfinished(totalBytes: number): void {
    let excessBytes = totalBytes - settings.realtimeReceivingBytes;
    for (const socket of [...sockets].sort((a, b) => b.unfinishedBytes - a.unfinishedBytes)) {
      if (excessBytes <= 0) return;
      excessBytes -= socket.unfinishedBytes;
      cuts.flood += 1;
      socket.cut();
    }
  }

  return {
    upgrade: { path: "/realtime/v1/websocket", accept },

    drain() {
      if (isDraining) return;
      isDraining = true;
      spreadOver(sockets, settings.realtimeDrainMs, (socket) => socket.close(closeCodes.restart, "Service restart"));
    },

    async stop(signal) {
      isDraining = true;
      clearInterval(sweep);
      stopListening();
      for (const socket of sockets) socket.cut();
      const patience = AbortSignal.any([signal, AbortSignal.timeout(settings.realtimeCloseMs)]);
      if (sockets.size === 0 || patience.aborted) return;
      await new Promise<void>((resolve) => {
        onEmpty = resolve;
        patience.addEventListener("abort", () => resolve(), { once: true });
      });
    },

    stats() {
      let queuedBytes = 0;
      for (const socket of sockets) queuedBytes += socket.queuedBytes;
      return { connections: counts.total, queuedBytes, refused, cutAsSlow: cuts.slow, cutAsFlood: cuts.flood };
    },
  };
}

/** Browsers refuse a reply that names none of the protocols they offered. Never one that may carry a token. */
const protocolOf = (offered: Set<string>): string | false =>
  offered.has("phoenix") ? "phoenix" : ([...offered].find((name) => !name.includes(".")) ?? false);
