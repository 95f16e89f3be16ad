import type { Claims, Principal } from "../../../kernel/principal.ts";
import { createSeal } from "../../../kernel/seal.ts";
import type { TokenSigner } from "../../../platform/identity/types.ts";
import type { WriteOrder } from "../objects/types.ts";
import { signedProblems } from "./problems.ts";
import type { UrlTokens } from "./url-tokens.ts";

/** What a signed upload settles: in whose name, and over what. */
export type SignedUpload = Pick<WriteOrder, "who" | "ownerId" | "isUpsert">;

/** Tokens that let their holder upload one file in the name of who signed: the policies decide again then (threat S03). */
export interface UploadTokens {
  sign(who: Principal, file: { readonly bucketId: string; readonly name: string; readonly isUpsert: boolean }): string;
  /** @throws Problem `InvalidJWT`, `InvalidSignature` */
  verify(token: string, file: { readonly bucketId: string; readonly name: string }): SignedUpload;
}

/** What policies know of the signer. Sealed: whoever is given the link has no business with it. */
interface Signer {
  readonly role: string;
  readonly subject: string | null;
  readonly isAuthenticated: boolean;
  readonly claimsJson: string;
}

export function createUploadTokens(needs: {
  readonly tokens: UrlTokens;
  readonly signer: Pick<TokenSigner, "deriveKey">;
  readonly lifeSeconds: number;
}): UploadTokens {
  const { tokens, lifeSeconds } = needs;
  const seal = createSeal(needs.signer.deriveKey("storage upload signers"));
  return {
    sign({ role, subject, isAuthenticated, claimsJson }, { bucketId, name, isUpsert }) {
      const url = `${bucketId}/${name}`;
      const known: Signer = { role, subject, isAuthenticated, claimsJson };
      const signer = seal.close(JSON.stringify(known), url).toString("base64url");
      return tokens.sign({ url, scope: "upload", upsert: isUpsert, signer }, lifeSeconds);
    },

    verify(token, { bucketId, name }) {
      const url = `${bucketId}/${name}`;
      const { upsert, signer, expiresAtMs } = tokens.verify(token, { url, scope: "upload" });
      if (signer === undefined) throw signedProblems.invalidToken();
      // Ours, as the token is.
      const known = JSON.parse(seal.open(Buffer.from(signer, "base64url"), url)) as Signer;
      const who: Principal = { ...known, claims: JSON.parse(known.claimsJson) as Claims, expiresAtMs };
      return { who, ownerId: known.subject, isUpsert: upsert === true };
    },
  };
}
