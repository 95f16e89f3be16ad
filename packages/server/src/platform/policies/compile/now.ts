import type { Node } from "./parser.ts";
import { as, beyond, builtInFunction, builtInOperator, wrapped } from "./tree.ts";

/** How far from `now()`, at least and at most: with the session's time zone a day may be shorter or longer than 24 hours. */
export interface Shift {
  readonly minUs: bigint;
  readonly maxUs: bigint;
}

const secondUs = 1_000_000n;
const hourUs = 3600n * secondUs;
const dayUs = 24n * hourUs;
/** A zone has moved over the date line (Samoa, 2011); anything else is less. */
const zoneUs = 26n * hourUs;

/** `now()`, `now() - '7 days'::interval` …; `null` when it is something else. */
export function nowShift(node: Node): Shift | null {
  const inner = wrapped(node);
  if (inner) return nowShift(inner);
  const call = as("FuncCall", node);
  if (call) {
    if (call.args?.length) return null;
    const name = builtInFunction(call.funcname);
    return name === "now" || name === "transaction_timestamp" ? { minUs: 0n, maxUs: 0n } : null;
  }
  if (as("SQLValueFunction", node)?.op === "SVFOP_CURRENT_TIMESTAMP") return { minUs: 0n, maxUs: 0n };
  const operation = as("A_Expr", node);
  if (operation?.kind !== "AEXPR_OP" || !operation.lexpr || !operation.rexpr) return null;
  const operator = builtInOperator(operation.name);
  if (operator !== "+" && operator !== "-") return null;
  const base = nowShift(operation.lexpr);
  if (base === null) return null;
  const by = interval(operation.rexpr);
  return operator === "+"
    ? { minUs: base.minUs + by.minUs, maxUs: base.maxUs + by.maxUs }
    : { minUs: base.minUs - by.maxUs, maxUs: base.maxUs - by.minUs };
}

/** A constant of days and hours, as PostgreSQL prints it. Months are beyond: how long they are depends on when. */
function interval(node: Node): Shift {
  const cast = as("TypeCast", node);
  const constant = as("A_Const", cast?.arg);
  const match = /^(?:(-?\d{1,6}) days?)?\s*(?:(-)?(\d{1,7}):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?$/.exec(
    constant?.sval?.sval ?? "",
  );
  if (builtInOperator(cast?.typeName?.names) !== "interval" || !match || match[0].trim() === "") {
    return beyond("an interval that is not days and hours");
  }
  const [, days, sign, hours = "0", minutes = "0", seconds = "0", fraction = ""] = match;
  const time =
    BigInt(hours) * hourUs +
    BigInt(minutes) * 60n * secondUs +
    BigInt(seconds) * secondUs +
    BigInt(fraction.padEnd(6, "0"));
  const total = BigInt(days ?? "0") * dayUs + (sign ? -time : time);
  const doubt = days === undefined ? 0n : zoneUs;
  return { minUs: total - doubt, maxUs: total + doubt };
}
