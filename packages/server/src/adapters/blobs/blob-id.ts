const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether a blob of ours can have that name. */
export const isBlobId = (name: string): boolean => uuid.test(name);

/**
 * Names of people are never names in a store (threat S01).
 * @throws Error for what is no UUID of ours
 */
export function readBlobId(id: string): string {
  if (!isBlobId(id)) throw new Error("A blob is named by a UUID.");
  return id;
}
