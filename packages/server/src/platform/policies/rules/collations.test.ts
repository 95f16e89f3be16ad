import { describe, expect, it } from "vitest";
import { collationShape } from "./collations.ts";

const shape = (
  provider: string,
  names: { collate?: string; ctype?: string; locale?: string },
  isDeterministic = true,
) =>
  collationShape({
    isDeterministic,
    provider,
    collate: names.collate ?? null,
    ctype: names.ctype ?? names.collate ?? null,
    locale: names.locale ?? null,
  });

describe("a collation", () => {
  it("orders by bytes only where that is sure", () => {
    expect(shape("b", { locale: "C.UTF-8" }).isByteOrder).toBe(true);
    expect(shape("c", { collate: "C" }).isByteOrder).toBe(true);
    expect(shape("c", { collate: "en_US.UTF-8" }).isByteOrder).toBe(false);
    expect(shape("i", { locale: "und" }).isByteOrder).toBe(false);
  });

  it("folds A to Z as English does, except where it is known to do otherwise, or not known", () => {
    for (const name of ["tr_TR.UTF-8", "tr-TR", "az", "lt-LT", "Turkish_Turkey.1254", ""]) {
      expect(shape("c", { collate: name }).foldsAscii, name).toBe(false);
      expect(shape("i", { locale: name }).foldsAscii, name).toBe(false);
    }
    for (const name of ["C", "en_US.UTF-8", "de-AT", "und", "trv"]) {
      expect(shape("c", { collate: name }).foldsAscii, name).toBe(true);
      expect(shape("i", { locale: name }).foldsAscii, name).toBe(true);
    }
    expect(shape("?", { collate: "C" })).toEqual({ isDeterministic: true, isByteOrder: false, foldsAscii: false });
  });

  it("keeps that equal texts may differ", () => {
    expect(shape("i", { locale: "und-u-ks-level2" }, false).isDeterministic).toBe(false);
  });
});
