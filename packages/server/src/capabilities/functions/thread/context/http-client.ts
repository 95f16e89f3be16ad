import type { HttpAnswer, HttpClient, HttpOptions } from "@mainstay/functions";
import type { Json } from "../../../../platform/jobs/types.ts";
import { bytesOf, textOf } from "../http/body.ts";
import type { Wire } from "../wire.ts";

/** What the service `http.request` answers. */
export interface HttpRequestAnswer {
  readonly status: number;
  /** Flat: name, value, name, value … */
  readonly headers: readonly string[];
  /** Base64. */
  readonly body: string;
  readonly source: HttpAnswer["source"];
  readonly fetchedAtMs: number;
}

export function createHttpClient(wire: Wire): HttpClient {
  const request = async (url: string | URL, options: HttpOptions = {}): Promise<HttpAnswer> => {
    const answer = await wire.call("http.request", [String(url), optionsAsJson(options)]);
    return new KeptAnswer(answer as unknown as HttpRequestAnswer);
  };
  return {
    request,
    async json<T>(url: string | URL, options?: HttpOptions): Promise<T> {
      const answer = await request(url, options);
      if (answer.status < 200 || answer.status > 299) throw new HttpStatusError(url, answer);
      return answer.json<T>();
    },
  };
}

/** Bytes as Base64 beside the rest, which is JSON already. */
function optionsAsJson({ body, ...rest }: HttpOptions): Json {
  if (body === undefined || typeof body === "string") return { ...rest, ...(body === undefined ? {} : { body }) };
  return { ...rest, bodyBase64: Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64") };
}

/** An answer, all of it. */
class KeptAnswer implements HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly source: HttpAnswer["source"];
  readonly fetchedAt: Date;
  readonly #body: Buffer;

  constructor({ body, fetchedAtMs, headers, source, status }: HttpRequestAnswer) {
    this.status = status;
    this.headers = new Headers();
    for (let at = 0; at + 1 < headers.length; at += 2) this.headers.append(headers[at]!, headers[at + 1]!);
    this.source = source;
    this.fetchedAt = new Date(fetchedAtMs);
    this.#body = Buffer.from(body, "base64");
  }

  text(): string {
    return textOf(this.#body);
  }

  json<T>(): T {
    return JSON.parse(this.text()) as T;
  }

  bytes(): Uint8Array {
    return bytesOf(this.#body);
  }
}

/** An answer outside 2xx, where one within was asked for. */
class HttpStatusError extends Error {
  override readonly name = "HttpStatusError";
  readonly code = "status";
  readonly status: number;
  readonly answer: HttpAnswer;

  constructor(url: string | URL, answer: HttpAnswer) {
    const { host } = new URL(url);
    super(`${host} answered with ${answer.status}`);
    this.status = answer.status;
    this.answer = answer;
  }
}
