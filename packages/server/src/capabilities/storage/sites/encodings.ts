/** A coding of variants that may lie beside a file, and how their names end. The first is preferred. */
export const codings = [
  { name: "br", ending: ".br" },
  { name: "gzip", ending: ".gz" },
] as const;
export type Coding = (typeof codings)[number];

/** More of them is no client's (RFC 9110 §12.5.3 names five codings). */
const maxItems = 20;

/**
 * Codings a client takes, best first by its weights and then by ours; those it likes less than the file as it is are left out (RFC 9110 §12.5.3).
 */
export function acceptedCodings(header: string | undefined): readonly Coding[] {
  if (header === undefined) return [];
  const weights = new Map<string, number>();
  for (const item of header.split(",", maxItems)) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    if (name !== "") weights.set(name, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0);
  }
  const others = weights.get("*");
  const weightOf = (name: string) =>
    weights.get(name) ?? (name === "gzip" ? weights.get("x-gzip") : undefined) ?? others ?? 0;
  const plain = weights.get("identity") ?? 0; // as it is counts as least liked unless it is named
  return codings
    .filter(({ name }) => weightOf(name) > 0 && weightOf(name) >= plain)
    .toSorted((one, other) => weightOf(other.name) - weightOf(one.name));
}
