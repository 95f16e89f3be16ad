import { costOf, limit, us } from "../figures.ts";
import type { Shot, Throughput } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { tokenOf, userId } from "../tokens.ts";
import { startBare } from "./bare.ts";
import { kilobyte, megabyte, type StorageBench } from "./bench.ts";
import { between, rateOf, rateText } from "./rates.ts";

/** Uploads of 10 KB and of 1 MB, each durable when it is answered, against `node:http` that writes, syncs and renames. */
export async function uploads(bench: StorageBench): Promise<Figure[]> {
  const bare = await startBare(bench, []);
  try {
    return [
      ...(await uploadsOf(bench, bare.url, "10 KB", 10 * kilobyte)),
      ...(await uploadsOf(bench, bare.url, "1 MB", megabyte)),
    ];
  } finally {
    await bare.stop();
  }
}

async function uploadsOf(bench: StorageBench, bareUrl: string, name: string, bytes: number): Promise<Figure[]> {
  const body = "x".repeat(bytes);
  const type = { "Content-Type": "application/octet-stream" };
  const bareShot: Shot = { method: "PUT", path: "/", headers: type, body };
  // Of different people: what one has is counted in one row, for which uploads of the same one wait.
  const shots = Array.from(
    { length: bench.connections },
    (_, n): Shot => ({
      method: "POST",
      path: `/storage/v1/object/own/${userId(n)}/$n`,
      headers: { Authorization: `Bearer ${tokenOf(n)}`, ...type },
      body,
    }),
  );
  const before = await rateOf(bench, [bareShot], bareUrl);
  const begun = performance.now();
  const { result, nodeMs, postgresMs } = await costOf(bench.server, () => rateOf(bench, shots));
  const tookMs = performance.now() - begun;
  const bare = between(before, await rateOf(bench, [bareShot], bareUrl));
  // The two seconds ahead cost as well.
  const count = result.perSecond * (bench.seconds + 2);
  const each = (ms: number): string => us((ms * 1000) / count);
  const limiting =
    nodeMs / tookMs > 0.85 || (nodeMs + postgresMs) / tookMs > 1.6 ? "processors limit it" : "the disk limits it";
  return [
    limit(`\`node:http\` that writes, syncs and renames ${name}`, rateText(bare)),
    {
      name: `upload of ${name}, row and bytes durable`,
      value: `${rateText(result, bare, "the bare write")}; ${each(nodeMs)} of Node and ${each(postgresMs)} of PostgreSQL each, ${limiting}`,
      against: bytes === megabyte ? "≥ 0.5 × the bare write" : "≥ 0.25 × the bare write",
      isMet: isEnough(result, bare, bytes === megabyte ? 0.5 : 0.25),
    },
  ];
}

const isEnough = (rate: Throughput, bare: Throughput, share: number): boolean =>
  rate.perSecond >= share * bare.perSecond && rate.failures === 0;
