import type { BenchServer } from "../server.ts";
import { userId } from "../tokens.ts";
import { type Answer, send } from "./http.ts";

/** What every scenario of storage works with. */
export interface StorageBench {
  readonly server: BenchServer;
  /** The project's folder, which is on the disk that files go to. */
  readonly dir: string;
  readonly databaseUrl: string;
  /** Of the project, as S3's users sign with it. */
  readonly anonKey: string;
  /** A user's token, and nothing else: as SDKs of resumable uploads send it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** Of one measurement. */
  readonly seconds: number;
  /** Where a bare server may listen. */
  readonly freePort: number;
}

export const kilobyte = 1_024;
export const megabyte = 1_048_576;
/** Whose files they are: the first of the made-up users. */
export const owner = userId(1);

/** Puts a file there, and rejects when it is not taken. */
export async function put(
  bench: StorageBench,
  bucket: string,
  name: string,
  bytes: Buffer,
  type: string,
): Promise<void> {
  const path = `/storage/v1/object/${bucket}/${owner}/${name}`;
  const headers = { ...bench.headers, "Content-Type": type, "x-upsert": "true" };
  expectOk(await send({ url: bench.server.url + path, method: "POST", headers, body: bytes }), path);
}

/** @throws Error with what the server said */
export function expectOk(answer: Answer, what: string): Answer {
  if (answer.status >= 300) throw new Error(`${what}: ${answer.status} ${answer.body.toString()}`);
  return answer;
}
