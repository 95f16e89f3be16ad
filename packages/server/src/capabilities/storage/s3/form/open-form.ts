import type { Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import { problems } from "../problems.ts";

/** Most fields of a form, and the bytes of one: what S3 takes is 20 KB without the file. */
const maxFields = 100;
const maxFieldBytes = 20_480;
const maxHeaderBytes = 16_384;
const boundaryOf = /;\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)/i;

/** A browser's upload, read as far as its file: what comes behind it does not count (Amazon S3 API reference, POST Object). */
export interface PostForm {
  /** By name in lower case. */
  readonly fields: ReadonlyMap<string, string>;
  readonly fileName: string;
  /** Read once. @throws Problem `MalformedPOSTRequest` when it ends too early */
  readonly file: AsyncIterable<Buffer>;
}

/** @throws Problem `MalformedPOSTRequest`, or whatever the body throws */
export async function openPostForm(contentType: string, body: AsyncIterable<Buffer>): Promise<PostForm> {
  const found = boundaryOf.exec(contentType);
  if (found === null) throw problems.malformedPostRequest("The form has no boundary.");
  const fields = new Map<string, string>();
  const opened = Promise.withResolvers<{ readonly stream: Readable; readonly fileName: string }>();
  const stopped = Promise.withResolvers<void>();
  opened.promise.catch(() => {});
  let failure: unknown = null;
  let file: Readable | null = null;

  const fail = (error: unknown): void => {
    failure ??= error;
    opened.reject(failure);
    stopped.resolve();
    file?.destroy();
  };
  const malformed = (what: string) => () => fail(problems.malformedPostRequest(what));

  const parser = new Busboy({
    headers: { "content-type": `multipart/form-data; boundary="${found[1] ?? found[2]}"` },
    preservePath: false,
    limits: { files: 1, fields: maxFields, parts: maxFields + 1, fieldSize: maxFieldBytes, headerSize: maxHeaderBytes },
    isPartAFile: (name) => name === "file",
  });
  parser.on("field", (name, value, _isNameCut, isCut) => {
    const key = name.toLowerCase();
    if (isCut) fail(problems.malformedPostRequest("A field is too large."));
    else if (fields.has(key)) fail(problems.malformedPostRequest(`The field ${key.slice(0, 100)} is there twice.`));
    else if (file === null) fields.set(key, value);
  });
  parser.on("file", (_name, stream, fileName) => {
    file = stream;
    stream.on("error", () => {});
    opened.resolve({ stream, fileName: fileName ?? "" });
  });
  parser.on("fieldsLimit", malformed("The form has too many fields."));
  parser.on("partsLimit", malformed("The form has too many parts."));
  parser.on("filesLimit", malformed("The form has more than one file."));
  parser.on("error", malformed("The form is malformed."));
  parser.on("finish", () => opened.reject(problems.malformedPostRequest("The form has no file.")));

  void pump();
  const { stream, fileName } = await opened.promise;
  return { fields, fileName, file: bytesOf(stream) };

  /** Feeds the parser as fast as the file is read. */
  async function pump(): Promise<void> {
    try {
      for await (const chunk of body) {
        if (failure !== null) return;
        await Promise.race([new Promise<void>((resolve) => parser.write(chunk, () => resolve())), stopped.promise]);
      }
      if (failure === null) parser.end();
    } catch (error) {
      fail(error);
    }
  }

  async function* bytesOf(readable: Readable): AsyncIterable<Buffer> {
    try {
      for await (const chunk of readable) yield chunk as Buffer;
    } catch {
      // Said below, in words of its own.
    } finally {
      stopped.resolve();
      if (!readable.readableEnded) fail(problems.malformedPostRequest("The file was not read to its end."));
    }
    if (failure !== null) throw failure;
  }
}
