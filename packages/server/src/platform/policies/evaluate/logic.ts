import { derived, type Part } from "./part.ts";
import { absent, failed, type Truth, truthOf } from "./values.ts";

/**
 * AND and OR of three values, with two more: what is absent may still be settled by another part; what failed settles everything, so
 * every part that can fail is looked at. (PostgreSQL may or may not come to it, depending on its plan.)
 */
export function logicPart(node: "and" | "or", parts: readonly Part[]): Part {
  const settles = node === "or";
  return derived(parts, (row, circumstances): Truth => {
    let result: Truth = !settles;
    for (const part of parts) {
      if (result === settles && !part.canFail) continue;
      const truth = truthOf(part.get(row, circumstances));
      if (truth === failed) return failed;
      if (result === settles) continue;
      if (truth === settles) result = settles;
      else if (truth === absent) result = absent;
      else if (truth === null && result !== absent) result = null;
    }
    return result;
  });
}

export function notPart(of: Part): Part {
  return derived([of], (row, circumstances) => {
    const truth = truthOf(of.get(row, circumstances));
    return typeof truth === "boolean" ? !truth : truth;
  });
}

export function truthTestPart(of: Part, wanted: boolean | null, isNegated: boolean): Part {
  return derived([of], (row, circumstances) => {
    const truth = truthOf(of.get(row, circumstances));
    return typeof truth === "symbol" ? truth : (truth === wanted) !== isNegated;
  });
}
