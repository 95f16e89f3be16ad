import type { Call } from "../../../kernel/route.ts";
import {
  defaultContentType,
  type FileFacts,
  readCacheControl,
  readContentEncoding,
  readEncodedMetadata,
  readMetadata,
} from "./facts.ts";
import { type FormFields, isForm, openForm } from "./form.ts";
import { uploadProblems } from "./problems.ts";

/** A file on its way in: a form with it, or a body that is nothing else (protocols: upload). */
export interface ReceivedFile {
  readonly source: AsyncIterable<Buffer>;
  /** What is known before the first byte. */
  readonly facts: FileFacts;
  /** `null` when it was not announced. */
  readonly sizeBytes: number | null;
  /** What is known behind the last byte: fields of a form may follow the file. To be called when `source` has been read to its end. */
  complete(): Promise<FileFacts>;
  /** To be called in the end, whatever came of it. */
  leave(): void;
}

type Incoming = Pick<Call, "headers" | "stream">;

/** Reads a request as far as its file's first byte. @throws Problem for what is neither, with nothing stored */
export async function receiveFile(call: Incoming): Promise<ReceivedFile> {
  const { "content-type": contentType } = call.headers;
  return contentType !== undefined && isForm(contentType) ? receiveForm(call, contentType) : receiveRaw(call);
}

function receiveRaw(call: Incoming): ReceivedFile {
  const { headers } = call;
  const facts: FileFacts = {
    contentType: headers["content-type"] || defaultContentType,
    contentEncoding: readContentEncoding(headers["content-encoding"]),
    cacheControl: readCacheControl(headers["cache-control"]),
    userMetadata: readEncodedMetadata(headers["x-metadata"] as string | undefined),
  };
  const sizeBytes = announcedBytes(call);
  return { source: call.stream(), facts, sizeBytes, complete: async () => facts, leave() {} };
}

async function receiveForm(call: Incoming, contentType: string): Promise<ReceivedFile> {
  // Its field says how the file is packed. A form that is packed itself is none that can be read as it comes.
  if (readContentEncoding(call.headers["content-encoding"]) !== null) throw uploadProblems.formEncoding();
  const fromHeader = readEncodedMetadata(call.headers["x-metadata"] as string | undefined);
  const form = await openForm(contentType, call.stream());
  const factsOf = (fields: FormFields): FileFacts => ({
    contentType: fields.get("contentType") || form.contentType,
    contentEncoding: readContentEncoding(fields.get("contentEncoding")),
    cacheControl: readCacheControl(fields.get("cacheControl")),
    userMetadata: readMetadata(fields.get("metadata")) ?? fromHeader,
  });
  return {
    source: form.file,
    facts: factsOf(form.fields),
    sizeBytes: null,
    async complete() {
      await form.end();
      return factsOf(form.fields);
    },
    leave: form.leave,
  };
}

function announcedBytes({ headers }: Incoming): number | null {
  const length = headers["content-length"];
  if (length !== undefined) return Number(length);
  return headers["transfer-encoding"] === undefined ? 0 : null;
}
