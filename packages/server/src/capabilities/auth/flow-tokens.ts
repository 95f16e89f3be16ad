import { createSeal } from "../../kernel/seal.ts";
import type { AuthContext } from "./context.ts";

type Needs = Pick<AuthContext, "signer">;

const sealOf = ({ signer }: Needs) => createSeal(signer.deriveKey("auth/provider-tokens"));

/**
 * A provider's token as the database keeps it, bound to its row: it opens somebody's account elsewhere, so a dump must not have it.
 * `null` stays `null`.
 */
export const sealToken = (needs: Needs, rowId: string, token: string | null): string | null =>
  token === null ? null : sealOf(needs).close(token, rowId).toString("base64");

/** @returns `null` for none, and for what was not sealed by this project for this row */
export function openToken(needs: Needs, rowId: string, sealed: string | null): string | null {
  if (sealed === null) return null;
  try {
    return sealOf(needs).open(Buffer.from(sealed, "base64"), rowId);
  } catch {
    return null;
  }
}
