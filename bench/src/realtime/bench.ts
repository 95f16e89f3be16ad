import type pg from "pg";
import type { BenchServer } from "../server.ts";
import type { Crowd } from "./crowd.ts";

/** What every scenario of realtime works with. */
export interface RealtimeBench {
  readonly server: BenchServer;
  /** Its clients. Who uses it leaves it without connections. */
  readonly crowd: Crowd;
  /** The administrator's connection. */
  readonly sql: pg.Client;
  readonly databaseUrl: string;
  readonly anonKey: string;
  /** Of one measurement. */
  readonly seconds: number;
  /** Where another server may listen. */
  readonly freePort: number;
  /** Where the server's inspector listens once it is switched on. */
  readonly inspectPort: number;
}
