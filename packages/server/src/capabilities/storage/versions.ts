import { problems } from "./problems.ts";

/**
 * Refuses what is said of versions that a bucket keeps of an object: none does here. What would be done to another version than was meant, or
 * would be believed to be kept, is not done; what is the same without versions is.
 * @throws Problem `FeatureNotEnabled`
 */
export function refuseVersions(said: Readonly<Record<string, unknown>>): void {
  const named = said.versionId ?? said.sourceVersionId ?? null;
  const isOnlyOld = said.noncurrentVersions === "only" || said.deleteMarkers === "only";
  const status = said.versioning_status ?? "DISABLED";
  if (named !== null || isOnlyOld || status !== "DISABLED") throw problems.featureNotEnabled("Versioning");
}

/** As `refuseVersions`, of a query. */
export function refuseVersionIn(query: string): void {
  if (query.includes("versionId")) refuseVersions({ versionId: new URLSearchParams(query).get("versionId") });
}
