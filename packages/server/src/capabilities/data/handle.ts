import { Problem } from "../../kernel/problem.ts";
import type { Call, Reply } from "../../kernel/route.ts";
import type { Observe } from "../../platform/observe/observation.ts";
import type { Catalog, CatalogHolder } from "../../platform/postgres/catalog/types.ts";
import type { Flight, FlightResult, Row, Session } from "../../platform/postgres/session/types.ts";
import { type Bindings, bind, readPage } from "./bind.ts";
import { type Body, mediaTypeOf, readBody } from "./body/read.ts";
import { databaseProblem } from "./boundary.ts";
import type { Compiled, Template } from "./compile/types.ts";
import { type DataSettings, effectiveSettings } from "./effective.ts";
import { withHint } from "./hints.ts";
import { locationOf } from "./location.ts";
import { createHeaderReader } from "./negotiation.ts";
import { lex, parse, parseRange, type QueryLimits } from "./parse/index.ts";
import { PlanCache, type Question } from "./plan-cache.ts";
import { prepare } from "./prepare.ts";
import { createPrologue, type Prologue } from "./prologue.ts";
import type { LexedQuery, Preferences, RowRange } from "./request.ts";
import { type ReplyContext, readResult, respond, respondWith } from "./respond.ts";
import { requestedSchema } from "./schema.ts";
import { respondWithStream } from "./stream.ts";

export interface HandlerNeeds {
  readonly session: Session;
  readonly catalog: CatalogHolder;
  readonly settings: DataSettings & QueryLimits;
  readonly observe: Observe;
  readonly mountLength: number;
}

/** What a request is for. */
export interface Target {
  readonly kind: "relation" | "function";
  readonly name: string;
}

/** One picture of the database and what follows from it, until the next. */
interface Era {
  readonly catalog: Catalog;
  readonly settings: DataSettings & QueryLimits;
  readonly prologue: Prologue;
  readonly plans: PlanCache;
}

export interface Handler {
  handle(call: Call, target: Target): Promise<Reply>;
  era(): Era;
}

/**
 * A request as a sentence: lex, plan (or remember), bind, fly, respond. No connection is held before the statement exists.
 */
export function createHandler(needs: HandlerNeeds): Handler {
  const { session, observe } = needs;
  const headers = createHeaderReader();
  let known: Era | null = null;

  return { handle, era };

  function handle(call: Call, target: Target): Promise<Reply> {
    const { method } = call;
    if (method === "POST" || method === "PUT" || method === "PATCH") return handleBody(call, target);
    try {
      return answer(call, target, null);
    } catch (error) {
      return refuse(error, call, target);
    }
  }

  function handleBody(call: Call, target: Target): Promise<Reply> {
    let mediaType: string;
    try {
      mediaType = mediaTypeOf(call.headers);
    } catch (error) {
      return refuse(error, call, target);
    }
    return call.body().then(
      (raw) => {
        try {
          const isCall = target.kind === "function";
          return answer(call, target, readBody(raw, mediaType, era().settings.maxBodyKeys, isCall));
        } catch (error) {
          return refuse(error, call, target);
        }
      },
      (error: unknown) => refuse(error, call, target),
    );
  }

  /** Turns what was thrown into the dialect's problem, with a hint where there is one. Always rejects. */
  async function refuse(error: unknown, call: Call, target: Target): Promise<never> {
    const problem = databaseProblem(error, call.who);
    if (!(problem instanceof Problem)) throw problem;
    const { catalog, settings } = era();
    const { schema } = requestedSchema(call, settings);
    throw await withHint(problem, { call, target, catalog, session, settings, schema });
  }

  /** Not `async`: until the flight is under way nothing waits, and each promise in between is paid for by every request. */
  function answer(call: Call, target: Target, body: Body | null): Promise<Reply> {
    const now = era();
    const { settings, prologue } = now;
    const { method } = call;
    const isRead = method === "GET" || method === "HEAD";
    const lexed = lex(call.query, isRead ? target.kind : "relation", settings);
    const preferences = headers.preferences(call.headers.prefer as string | undefined);
    const { schema, profile } = requestedSchema(call, settings);
    const range = method === "GET" ? parseRange(call.headers.range) : null;
    const compiled = find(now, call, target, lexed, { schema, profile, preferences, range, body });
    const page = readPage(compiled.page, lexed.values, range);
    const bindings: Bindings = { values: lexed.values, body, page };
    const path = call.path.slice(needs.mountLength);
    const location = isRead && target.kind === "relation" ? locationOf(path, call.query) : null;
    const request: ReplyContext = { page, location, path };
    const flight = (template: Template): Flight => ({
      role: call.who.role,
      prologue: prologue(call, {
        schema,
        isReadOnly: compiled.isReadOnly,
        timezone: preferences.timezone,
        isolation: compiled.isolation,
        hoisted: compiled.hoisted,
      }),
      statement: { text: template.text, values: bind(template, bindings) },
      lane: compiled.lane,
      isRetryable: compiled.isReadOnly,
      isRolledBack: compiled.rollsBack,
      // Made only where waiting is long enough to be given up: most requests never ask for it.
      signal: compiled.lane === "slow" ? call.signal : undefined,
    });

    const isLarge = page.limit === null || page.limit > settings.streamAboveRows;
    if (compiled.stream !== null && isLarge && compiled.estimate === null) {
      const { stream } = compiled;
      return session
        .stream({ ...flight(stream), lane: "slow", signal: call.signal })
        .then((rows) => respondWithStream(compiled, stream, request, rows, settings.streamChunkBytes))
        .catch((error: unknown) => refuse(error, call, target));
    }
    return session.fly(flight(compiled)).then(
      (result) => {
        try {
          if (compiled.explain !== null) return explainReply(compiled, result.rows);
          if (compiled.estimate === null) return respond(compiled, request, result);
        } catch (error) {
          return refuse(error, call, target);
        }
        const ask = async () => (await session.fly(flight(compiled.estimate!))).rows[0];
        return respondWithEstimate(compiled, request, result, settings, ask).catch((error: unknown) =>
          refuse(error, call, target),
        );
      },
      (error: unknown) => refuse(error, call, target),
    );
  }

  function era(): Era {
    const catalog = needs.catalog.current();
    if (known?.catalog !== catalog) {
      const settings = effectiveSettings(needs.settings, catalog.configuration, observe);
      const { extraSearchPath, preRequest } = settings;
      known = {
        catalog,
        settings,
        prologue: createPrologue({
          extraSearchPath,
          preRequest,
          mountLength: needs.mountLength,
          catalog,
          defaults: session.defaults,
        }),
        plans: new PlanCache(needs.settings.planCacheEntries),
      };
    }
    return known;
  }

  /** The compiled statement of this shape: remembered, or made now. */
  function find(
    { catalog, settings, plans }: Era,
    call: Call,
    target: Target,
    { shape }: LexedQuery,
    of: {
      readonly schema: string;
      readonly profile: string | null;
      readonly preferences: Preferences;
      readonly range: RowRange | null;
      readonly body: Body | null;
    },
  ): Compiled {
    const { accept } = call.headers;
    const prefer = call.headers.prefer as string | undefined;
    const question: Question = {
      method: call.method,
      isFunction: target.kind === "function",
      name: target.name,
      schema: of.schema,
      hasProfile: of.profile !== null,
      usesRange: of.range !== null,
      prefer,
      accept,
      bodyKey: of.body === null ? "" : bodyKey(of.body),
    };
    const remembered = plans.find(shape, question);
    if (remembered !== undefined) return remembered;
    const compiled = prepare(catalog, settings, {
      method: call.method,
      target,
      schema: of.schema,
      query: parse(shape, settings),
      preferences: of.preferences,
      accept: headers.accept(accept),
      usesRange: of.range !== null,
      body: of.body,
      profile: of.profile,
    });
    plans.remember(shape, question, compiled);
    return compiled;
  }
}

/** What of a body decides the statement: its kind, its keys, which of them every object has, and which values are plain. */
function bodyKey({ mediaType, scan }: Body): string {
  if (scan === null) return `\0${mediaType}`;
  let key = `\0${mediaType}\0${scan.kind}\0`;
  if (scan.kind === "array") key += scan.count < 2 || scan.keys.length === 0 ? scan.count : "n";
  for (const name of scan.keys) {
    const mark = scan.values.get(name)?.kind === "container" ? "c" : scan.commonKeys.has(name) ? "k" : "m";
    key += `\0${mark}${name}`;
  }
  return key;
}

function explainReply({ explain, headers }: Compiled, rows: readonly Row[]): Reply {
  const lines = rows.map((row) => row[0]?.toString("utf8") ?? "");
  return { status: 200, headers, body: lines.join("\n") + (explain?.format === "text" ? "\n" : "") };
}

async function respondWithEstimate(
  compiled: Compiled,
  request: ReplyContext,
  result: FlightResult,
  settings: DataSettings,
  ask: () => Promise<Row | undefined>,
): Promise<Reply> {
  const answer = readResult(compiled, result);
  return respondWith(compiled, request, {
    ...answer,
    total: await estimatedTotal(compiled, answer.total, settings, ask),
  });
}

/** `planned` is the planner's number; `estimated` is exact up to the page's cap and the larger of both beyond it. */
async function estimatedTotal(
  compiled: Compiled,
  counted: number | null,
  settings: DataSettings,
  ask: () => Promise<Row | undefined>,
): Promise<number | null> {
  const cap = settings.maxRows === 0 ? settings.streamAboveRows : settings.maxRows;
  if (compiled.count === "estimated" && counted !== null && counted <= cap) return counted;
  const plan: unknown = JSON.parse((await ask())?.[0]?.toString("utf8") ?? "[]");
  const rows = Array.isArray(plan) ? Number(plan[0]?.Plan?.["Plan Rows"]) : Number.NaN;
  if (!Number.isFinite(rows)) return counted;
  return Math.max(rows, counted ?? 0);
}
