import type { Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import type { Problem } from "../../../kernel/problem.ts";
import { uploadProblems } from "./problems.ts";

/** Most fields besides the file (protocols: limits). */
const maxFields = 10;
/** Largest field, in bytes: user metadata. */
const maxFieldBytes = 1024 * 1024;
const maxHeaders = 32;
const maxHeaderBytes = 16 * 1024;
/** RFC 2046 §5.1.1. */
const boundaryOf =
  /;\s*boundary=(?:"([0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?])"|([^\s";,]{1,70}))\s*(?:;|$)/i;
const fieldNames: ReadonlySet<string> = new Set(["cacheControl", "metadata", "contentType", "contentEncoding"]);

export type FormFields = ReadonlyMap<string, string>;

/** A form with a file in it, read as far as the file's first byte. */
export interface FileForm {
  /** As the part says; `text/plain` where it says nothing (RFC 7578 §4.4). */
  readonly contentType: string;
  /** The file's bytes, as they come. Leaving the loop early leaves the whole body. @throws Problem when the form is malformed or has a second file */
  readonly file: AsyncIterable<Buffer>;
  /** `cacheControl`, `metadata`, `contentType` and `contentEncoding`, as far as they are known: those behind the file are there once it is read. */
  readonly fields: FormFields;
  /** Waits for the end of the form. To be called when the file has been read to its end. */
  end(): Promise<void>;
  /** Lets go of the body, wherever it has been read to. Once more, or afterwards, does nothing. */
  leave(): void;
}

/** Whether a body is a form at all. */
export const isForm = (contentType: string | undefined): boolean =>
  /^multipart\/form-data\s*(?:;|$)/i.test(contentType ?? "");

/**
 * Reads a multipart form (RFC 7578) up to its file, whichever name that has (protocols: upload). Nothing is held in memory but fields.
 * @throws Problem of `uploadProblems`, or whatever the body throws
 */
export async function openForm(contentType: string, body: AsyncIterable<Buffer>): Promise<FileForm> {
  const found = boundaryOf.exec(contentType);
  if (found === null) throw uploadProblems.formBoundary();
  const fields = new Map<string, string>();
  const opened = Promise.withResolvers<{ stream: Readable; type: string }>();
  const ended = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  // Who waits for these may not have come yet, or never comes.
  opened.promise.catch(() => {});
  ended.promise.catch(() => {});
  let failure: unknown = null;
  let file: Readable | null = null;

  const fail = (error: unknown): void => {
    if (failure !== null) return;
    failure = error;
    opened.reject(error);
    ended.reject(error);
    stopped.resolve();
    file?.destroy();
  };
  const refuse = (problem: () => Problem) => () => fail(problem());

  const parser = new Busboy({
    headers: { "content-type": `multipart/form-data; boundary="${found[1] ?? found[2]}"` },
    preservePath: true,
    limits: {
      files: 1,
      fields: maxFields,
      parts: maxFields + 1,
      fieldSize: maxFieldBytes,
      headerPairs: maxHeaders,
      headerSize: maxHeaderBytes,
    },
    isPartAFile: (name, type, fileName) =>
      fileName !== undefined || (type === "application/octet-stream" && !fieldNames.has(name ?? "")),
  });
  parser.on("file", (_name, stream, _fileName, _encoding, type) => {
    file = stream;
    // It is read by a loop that hears of it; until that begins nobody would.
    stream.on("error", () => {});
    stream.on("close", () => {
      if (!stream.readableEnded) fail(uploadProblems.formMalformed());
    });
    if (type.startsWith("multipart/")) fail(uploadProblems.formNested());
    else opened.resolve({ stream, type });
  });
  parser.on("field", (name, value, _isNameCut, isCut) => {
    if (isCut) fail(uploadProblems.formTooMuch());
    else if (fieldNames.has(name)) fields.set(name, value);
  });
  parser.on("filesLimit", refuse(uploadProblems.formTooMuch));
  parser.on("fieldsLimit", refuse(uploadProblems.formTooMuch));
  parser.on("partsLimit", refuse(uploadProblems.formTooMuch));
  parser.on("error", refuse(uploadProblems.formMalformed));
  parser.on("finish", () => {
    opened.reject(uploadProblems.formWithoutFile());
    ended.resolve();
  });

  void pump();
  const { stream, type } = await opened.promise;
  return {
    contentType: type,
    file: bytesOf(stream),
    fields,
    end: () => ended.promise,
    leave: refuse(uploadProblems.formMalformed),
  };

  /** Feeds the parser as fast as the file is read. */
  async function pump(): Promise<void> {
    try {
      for await (const chunk of body) {
        if (failure !== null) return;
        await Promise.race([new Promise<void>((resolve) => parser.write(chunk, () => resolve())), stopped.promise]);
        if (failure !== null) return;
      }
      parser.end();
    } catch (error) {
      fail(error);
    }
  }

  async function* bytesOf(readable: Readable): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of readable) yield chunk as Buffer;
    } catch {
      // The parser fails both the file and the form, each in words of its own.
    }
    if (failure !== null) throw failure;
    if (!readable.readableEnded) throw uploadProblems.formMalformed();
  }
}
