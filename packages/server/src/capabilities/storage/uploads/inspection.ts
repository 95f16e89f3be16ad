import type { Content, ContentReader, Inspect } from "../content/types.ts";
import type { WriteOrder } from "../objects/types.ts";
import { problems } from "../problems.ts";
import type { Bucket } from "../types.ts";
import { checkBytes, headBytes } from "./sniff.ts";
import { beginningOf } from "./unpack.ts";

/** How a bucket looks at the beginning of a file; `undefined` where it does not, and the store need not wait for the first bytes. */
export function inspectionOf(
  isChecking: boolean,
  { contentType, contentEncoding }: Pick<WriteOrder, "contentType" | "contentEncoding">,
  { allowedMimeTypes }: Pick<Bucket, "allowedMimeTypes">,
): Inspect | undefined {
  if (allowedMimeTypes === null || !isChecking) return undefined;
  return async (head) => {
    const unpacked = await beginningOf(contentEncoding ?? null, head);
    // What cannot be unpacked cannot be looked at.
    if (unpacked === null) throw problems.invalidMimeType(contentType.slice(0, 100));
    await checkBytes(contentType, allowedMimeTypes, unpacked);
  };
}

/** Looks at a file that is kept already, and is to go to another bucket or by another type. @throws Problem `InvalidMimeType`, `NoSuchKey` */
export async function inspectKept(
  content: Pick<Content, "open">,
  version: string | null,
  inspect: Inspect | undefined,
): Promise<void> {
  if (inspect === undefined || version === null) return;
  const reader = await content.open(version);
  if (reader === null) throw problems.noSuchKey();
  await inspect(await headOf(reader));
}

/** The first bytes, as they came. */
export async function headOf(reader: ContentReader): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of reader.stream({ from: 0, to: Math.min(headBytes, reader.sizeBytes) })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
