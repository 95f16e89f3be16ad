import { Lru } from "../../../kernel/lru.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../observe/observation.ts";
import type { postgresSettings } from "../settings.ts";
import { Job } from "./job.ts";
import { Lane, type LaneOptions } from "./lane.ts";
import { sessionProblems } from "./problems.ts";
import { RowChannel } from "./stream.ts";
import type { ConnectionTarget } from "./target.ts";
import type { Flight, FlightResult, Lane as LaneName, Session } from "./types.ts";

export type { ConnectionTarget } from "./target.ts";
export * from "./types.ts";

export type SessionSettings = Pick<
  Values<typeof postgresSettings>,
  | "readConnections"
  | "writeConnections"
  | "slowConnections"
  | "readDepth"
  | "queueLimit"
  | "queueTimeoutMs"
  | "statementCacheSize"
  | "preparedStatements"
>;

/** A read that takes this long on average is no longer let into the lane that others share. */
const SLOW_READ_MS = 20;
/** Weight of the newest measurement in the running average. */
const LEARNING_RATE = 0.2;
const LEARNT_SHAPES = 4_096;

/**
 * Opens our own session: a few connections that many requests share, each request one write, one transaction and one answer.
 * The caller closes it. Rejects when PostgreSQL cannot be reached or does not let us in.
 */
export async function openSession(needs: {
  readonly target: ConnectionTarget;
  readonly settings: SessionSettings;
  readonly observe: Observe;
  /** Settings every connection starts with. Left out behind a pooler, which hands its own connections around. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** Connections kept open when nothing happens, for reads. 0 opens nothing until something is asked. */
  readonly idleConnections?: number;
}): Promise<Session> {
  const { target, settings, observe, idleConnections = 1 } = needs;
  const defaults = settings.preparedStatements ? (needs.defaults ?? {}) : {};
  /** Average service time in milliseconds, by statement text. */
  const costs = new Lru<string, number>(LEARNT_SHAPES);
  const shared = {
    statementCacheSize: settings.statementCacheSize,
    preparesStatements: settings.preparedStatements,
    queueLimit: settings.queueLimit,
    queueTimeoutMs: settings.queueTimeoutMs,
    connectTimeoutMs: 10_000,
    patienceMs: 3_000,
    idleTimeoutMs: 30_000,
    doubtAfterMs: 5_000,
    startupParameters: {
      application_name: target.applicationName ?? "mainstay",
      client_encoding: "UTF8",
      // What PostgREST and its clients expect of times and floats, whatever the server's own defaults.
      DateStyle: "ISO",
      IntervalStyle: "postgres",
      extra_float_digits: "1",
      ...defaults,
    },
  };
  const learn = (job: Job, serviceMs: number): void => {
    const { text } = job.flight.statement;
    const known = costs.get(text);
    if (known === undefined) costs.set(text, serviceMs);
    else if (Math.abs(serviceMs - known) > 1) costs.set(text, known + (serviceMs - known) * LEARNING_RATE);
  };
  const lane = (own: Pick<LaneOptions, "name" | "minConnections" | "maxConnections" | "depth" | "growAt">): Lane =>
    new Lane(target, { ...shared, ...own }, observe, learn);
  const lanes: Readonly<Record<LaneName, Lane>> = {
    read: lane({
      name: "read",
      minConnections: idleConnections,
      maxConnections: settings.readConnections,
      depth: settings.readDepth,
      growAt: 2,
    }),
    write: lane({ name: "write", minConnections: 0, maxConnections: settings.writeConnections, depth: 2, growAt: 1 }),
    slow: lane({ name: "slow", minConnections: 0, maxConnections: settings.slowConnections, depth: 1, growAt: 1 }),
  };
  await lanes.read.open();

  const laneFor = (flight: Flight): Lane => {
    if (flight.lane !== "read") return lanes[flight.lane];
    return (costs.get(flight.statement.text) ?? 0) > SLOW_READ_MS ? lanes.slow : lanes.read;
  };

  return {
    defaults: new Map(Object.entries(defaults)),
    fly(flight) {
      return new Promise<FlightResult>((resolve, reject) => {
        const job = new Job(flight, performance.now(), resolve, reject, null);
        const chosen = laneFor(flight);
        if (flight.signal === undefined) return chosen.submit(job);
        submitWithSignal(chosen, job, flight.signal);
      });
    },
    async stream(flight) {
      const channel = new RowChannel(
        () => lanes.slow.connectionOf(job),
        () => {
          job.isSettled = true;
          lanes.slow.abandon(job);
        },
      );
      const job = new Job(
        flight,
        performance.now(),
        () => channel.end(),
        (error) => channel.fail(error),
        channel,
      );
      if (flight.signal === undefined) lanes.slow.submit(job);
      else submitWithSignal(lanes.slow, job, flight.signal);
      await channel.ready();
      return channel.rows();
    },
    stats() {
      const all = Object.values(lanes);
      return {
        connections: all.reduce((sum, each) => sum + each.connections, 0),
        inFlight: all.reduce((sum, each) => sum + each.inFlight, 0),
        queued: all.reduce((sum, each) => sum + each.queued, 0),
      };
    },
    async close(signal) {
      await Promise.all(Object.values(lanes).map((each) => each.close(signal)));
    },
  };
}

function submitWithSignal(lane: Lane, job: Job, signal: AbortSignal): void {
  if (signal.aborted) return job.reject(sessionProblems.cancelled());
  signal.addEventListener(
    "abort",
    () => {
      if (job.isSettled) return;
      job.isSettled = true;
      job.reject(sessionProblems.cancelled());
      lane.abandon(job);
    },
    { once: true },
  );
  lane.submit(job);
}
