import type { Predicate } from "../compile/expression.ts";
import { timestampUs } from "./moment.ts";
import type { Part } from "./part.ts";
import { absent, failed, isUnsure, type Truth } from "./values.ts";

type CompareNow = Extract<Predicate, { node: "compareNow" }>;

/**
 * A moment against the clock. PostgreSQL's `now()` is known only to lie between two moments: what both ends agree on is certain,
 * the rest is not.
 */
export function nowPart(left: Part, { operator, minShiftUs, maxShiftUs }: CompareNow): Part {
  return {
    isConstant: false,
    canFail: true,
    get(row, circumstances): Truth {
      const value = left.get(row, circumstances);
      if (value === null) return null;
      if (isUnsure(value)) return value;
      const moment = timestampUs(value as string, true);
      if (moment === undefined) return failed;
      if (circumstances.now === null) return absent;
      const earliest = circumstances.now.earliestUs + minShiftUs;
      const latest = circumstances.now.latestUs + maxShiftUs;
      const isBefore = moment === "-infinity" || (moment !== "infinity" && moment < earliest);
      const isAfter = moment === "infinity" || (moment !== "-infinity" && moment > latest);
      if (!isBefore && !isAfter) return absent;
      switch (operator) {
        case "<":
        case "<=":
          return isBefore;
        case ">":
        case ">=":
          return isAfter;
        case "=":
          return false;
        case "<>":
          return true;
      }
    },
  };
}
