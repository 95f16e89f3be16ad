import { costOf, limit, us } from "../figures.ts";
import type { Shot } from "../load.ts";
import type { Figure } from "../scenarios.ts";
import { startBare } from "./bare.ts";
import { kilobyte, megabyte, owner, put, type StorageBench } from "./bench.ts";
import { between, rateOf, rateText } from "./rates.ts";

const small = 10 * kilobyte;
/** Different files, so that no single row or buffer is all there is. */
const files = 200;

/** Reads of 10 KB and of 1 MB, against `node:http` sending a constant and streaming a file. */
export async function downloads(bench: StorageBench): Promise<Figure[]> {
  for (const bucket of ["open", "own"]) {
    for (let n = 0; n < files; n++) await put(bench, bucket, `small-${n}`, Buffer.alloc(small, "x"), "image/x-bench");
    for (let n = 0; n < 20; n++) await put(bench, bucket, `large-${n}`, Buffer.alloc(megabyte, "x"), "image/x-bench");
  }
  const bare = await startBare(bench, [small, megabyte]);
  try {
    const [streamed, constant, row] = [bareShot(`/${megabyte}`), bareShot("/constant"), rowShot(bench)];
    const before = { large: await rateOf(bench, streamed, bare.url), small: await rateOf(bench, constant, bare.url) };
    const openLarge = await rateOf(bench, shots(bench, "public/open", "large", 20));
    const ownLarge = await rateOf(bench, shots(bench, "authenticated/own", "large", 20));
    const sqlRow = await rateOf(bench, row);
    const openSmall = await rateOf(bench, shots(bench, "public/open", "small", files));
    const own = await costOf(bench.server, () => rateOf(bench, shots(bench, "authenticated/own", "small", files)));
    const ownSmall = own.result;
    const after = { large: await rateOf(bench, streamed, bare.url), small: await rateOf(bench, constant, bare.url) };
    const [file, memory] = [between(before.large, after.large), between(before.small, after.small)];
    // The two seconds ahead cost as well.
    const each = (spentMs: number): string => us((spentMs * 1000) / (ownSmall.perSecond * (bench.seconds + 2)));
    const large = (name: string, rate: typeof openLarge): Figure => ({
      name,
      value: rateText(rate, file, "the bare file stream"),
      against: "≥ 0.7 × the bare file stream",
      isMet: rate.perSecond >= 0.7 * file.perSecond && rate.failures === 0,
    });
    return [
      limit("`node:http` streaming a file of 1 MB", rateText(file)),
      large("download of 1 MB, public bucket", openLarge),
      large("download of 1 MB, private bucket under row level security", ownLarge),
      limit("`node:http` answering 10 KB from memory", rateText(memory)),
      limit("what is known of an object (`info`), under the same policy: one row, no bytes", rateText(sqlRow)),
      {
        name: "download of 10 KB, public bucket",
        value: rateText(openSmall, memory, "the constant"),
        against: "≥ 8,000/s",
        isMet: openSmall.perSecond >= 8_000 && openSmall.failures === 0,
      },
      {
        name: "download of 10 KB, private bucket under row level security",
        value: `${rateText(ownSmall, memory, "the constant")}, ${(ownSmall.perSecond / sqlRow.perSecond).toFixed(2)} × the row; ${each(own.nodeMs)} of Node and ${each(own.postgresMs)} of PostgreSQL each`,
        against: "≥ 8,000/s",
        isMet: ownSmall.perSecond >= 8_000 && ownSmall.failures === 0,
      },
    ];
  } finally {
    await bare.stop();
  }
}

function shots({ headers }: StorageBench, place: string, kind: string, count: number): Shot[] {
  return Array.from({ length: count }, (_, n) => ({
    method: "GET",
    path: `/storage/v1/object/${place}/${owner}/${kind}-${n}`,
    headers: place.startsWith("public") ? {} : headers,
  }));
}

const bareShot = (path: string): Shot[] => [{ method: "GET", path, headers: {} }];

/** The same row without its bytes: what rights and HTTP cost by themselves. */
const rowShot = ({ headers }: StorageBench): Shot[] =>
  Array.from({ length: files }, (_, n) => ({
    method: "GET",
    path: `/storage/v1/object/info/authenticated/own/${owner}/small-${n}`,
    headers,
  }));
