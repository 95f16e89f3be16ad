import type { Answer, Request } from "./send.ts";

/** What of us must never stand in an answer: pieces of our statements, our files, our insides (threat B07). */
const leaks: readonly RegExp[] = [
  /\bselect\s+(?:coalesce|null|json|row_to|string_agg|set_config|count)/i,
  /\bfrom\s+"/i,
  /set_config|json_agg|row_to_json|json_to_record|string_agg|current_setting/i,
  /\blateral\b/i,
  /\bmainstay\./,
  /\$\d+\b/,
  /\b[texj]\d+\./,
  /"(?:t|e|x|j)\d+"/,
  /\bLINE \d+:/,
  /node_modules|\.ts:\d+|\/packages\/|\bat [\w.<>]+ \(/,
  /authenticator/,
];

/** 5xx that the dialect itself asks for (PostgREST docs, Errors), and why a request alone may bring them about. */
const allowed: ReadonlyMap<string, string> = new Map([
  ["21000", "one INSERT … ON CONFLICT DO UPDATE that meets the same row twice"],
  ["40001", "serialization failure of a function that asks for serializable"],
  ["40P01", "two unfiltered writes that wait for each other"],
  ["57014", "statement_timeout of the role"],
]);

/** Why an answer is wrong; `null` when it is right. */
export function fault(request: Request, answer: Answer): string | null {
  if (answer.text.includes("c4n4ry-")) return "shows a canary";
  if (answer.status < 300) return null;
  if (request.method === "HEAD")
    return answer.status >= 500 && ![500, 503].includes(answer.status) ? `is ${answer.status}` : null;
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    return "has an error that is no JSON";
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) return "has an error that is no object";
  if (Object.keys(body).sort().join() !== "code,details,hint,message")
    return `has an error with the keys ${Object.keys(body).join()}`;
  if (answer.headers["content-type"] !== "application/json; charset=utf-8")
    return `has an error of type ${answer.headers["content-type"]}`;
  const { code } = body as { code: unknown };
  if (answer.status >= 500 && !allowed.has(String(code))) return `is ${answer.status}`;
  const asked = decoded(request);
  const leak = leaks.find((pattern) => pattern.test(answer.text) && !pattern.test(asked));
  return leak === undefined ? null : `leaks ${leak}`;
}

/** All a request says, also percent-decoded: an error may quote it. */
function decoded({ target, headers, body }: Request): string {
  const texts = [target, ...Object.values(headers), String(body ?? "")];
  const once = texts.map((text) =>
    text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
  );
  return [...texts, ...once].join("\n");
}
