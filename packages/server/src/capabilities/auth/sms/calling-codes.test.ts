import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countries, countryOf, unknownCountry } from "./calling-codes.ts";

describe("a number's country", () => {
  test.each([
    ["4915112345678", "DE"],
    ["16019839224", "US"],
    ["14165550123", "CA"],
    ["18765550123", "JM"],
    ["17875550123", "PR"],
    ["79161234567", "RU"],
    ["77011234567", "KZ"],
    ["447911123456", "GG"],
    ["447400123456", "GB"],
    ["393331234567", "IT"],
    ["390669812345", "VA"],
    ["38344123456", "XK"],
    ["211912345678", "SS"],
    ["5999123456", "CW"],
    ["59971234567", "BQ"],
    ["262692123456", "RE"],
    ["262639123456", "YT"],
    ["8801712345678", "BD"],
    ["8613800138000", "CN"],
    ["881612345678", "001"],
    ["883510012345", "001"],
    ["9991234567", unknownCountry],
    ["210123456", unknownCountry],
  ])("of %s is %s", (phone, country) => expect(countryOf(phone)).toBe(country));

  test("is one that settings may name, whatever the number", () => {
    fc.assert(fc.property(fc.stringMatching(/^[1-9]\d{4,14}$/), (phone) => countries.has(countryOf(phone))));
  });

  test("is known for every country that ISO 3166 has and people live in", () => {
    const names = new Intl.DisplayNames("en", { type: "region", fallback: "none" });
    const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    const regions = letters.flatMap((first) => letters.map((second) => first + second));
    // Uninhabited, numbered as part of another, or no country at all.
    const without = new Set([
      "AQ",
      "BV",
      "GS",
      "HM",
      "PN",
      "TF",
      "UM",
      "BL",
      "MF",
      "CP",
      "CQ",
      "DG",
      "EA",
      "EU",
      "EZ",
      "IC",
      "QO",
      "UN",
      "XA",
      "XB",
      "ZZ",
    ]);
    const current = regions.filter((code) => {
      const name = names.of(code);
      return name !== undefined && Intl.getCanonicalLocales(`und-${code}`)[0] === `und-${code}` && !without.has(code);
    });
    expect(current.length).toBeGreaterThan(230);
    expect(current.filter((code) => !countries.has(code))).toEqual([]);
  });
});
