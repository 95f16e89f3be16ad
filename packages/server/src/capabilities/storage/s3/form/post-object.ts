import { type Call, empty, type Reply } from "../../../../kernel/route.ts";
import { problems as storageProblems } from "../../problems.ts";
import type { FindCredentials } from "../credentials/credentials.ts";
import { factsOf } from "../metadata.ts";
import type { S3Needs } from "../needs.ts";
import { orderOf } from "../operations/put.ts";
import { problems } from "../problems.ts";
import { xml } from "../request.ts";
import { type Claim, credential, signature } from "../signature/claim.ts";
import { algorithm, isSame, sign, signingKey } from "../signature/signing.ts";
import { checkTime } from "../signature/verify.ts";
import { openPostForm, type PostForm } from "./open-form.ts";
import { checkPolicy, type PostPolicy, readPolicy } from "./policy.ts";

/** A form is good for as long as its policy says, and for no longer than a presigned URL. */
const maxLifetimeMs = 604_800_000;

/** POST Object: a browser's upload by a form that somebody else has signed. The file goes where the policy lets it. */
export function postObject(needs: S3Needs & { readonly find: FindCredentials }) {
  const { uploads, settings, clock } = needs;

  return async (call: Call, bucket: string): Promise<Reply> => {
    const form = await openPostForm(call.headers["content-type"] ?? "", call.stream());
    const fields = new Map([...form.fields, ["bucket", bucket]]);
    const { who, policy } = await admit(fields);
    const key = (fields.get("key") ?? "").replaceAll(/\$\{filename\}/g, () => form.fileName);
    const facts = factsOf(Object.fromEntries(form.fields), settings.storageS3MetadataLimitBytes);
    const order = orderOf({ who, bucket, key }, "storage.s3.upload", facts, { isUpsert: true, sizeBytes: null });
    const object = await uploads.put(order, bounded(form.file, policy), call.signal);
    const location = `${call.path.replace(/\/$/, "")}/${encodeURIComponent(key).replaceAll("%2F", "/")}`;
    const headers = ["ETag", object.etag, "Location", location];
    switch (fields.get("success_action_status")) {
      case "200":
        return empty(200, headers);
      case "201": {
        const lines = [["Location", location] as const, ["Bucket", bucket] as const, ["Key", key] as const];
        return xml(["PostResponse", [...lines, ["ETag", object.etag]]], headers, 201);
      }
      default:
        return empty(204, headers);
    }
  };

  /** Who signed the policy, and that the form keeps to it. @throws Problem */
  async function admit(fields: PostForm["fields"]) {
    const policyText = fields.get("policy");
    if (policyText === undefined) throw problems.accessDenied();
    const refuse = (message: string) => problems.invalidRequest(message);
    if (fields.get("x-amz-algorithm") !== algorithm) throw refuse(`x-amz-algorithm must be ${algorithm}.`);
    if (fields.has("success_action_redirect") || fields.has("redirect")) {
      throw problems.notImplemented("success_action_redirect");
    }
    const given = credential(fields.get("x-amz-credential"), fields.get("x-amz-date") ?? "", refuse);
    const claim: Pick<Claim, "kind" | "timeMs" | "lifetimeMs"> = {
      kind: "presigned",
      timeMs: given.timeMs,
      lifetimeMs: maxLifetimeMs,
    };
    checkTime(claim, clock.nowMs(), settings.storageS3ClockSkewMs);
    const sent = signature(fields.get("x-amz-signature"), refuse);
    const { secrets, who } = await needs.find(given.accessKeyId, fields.get("x-amz-security-token") ?? null);
    const isSigned = secrets.some((secret) => isSame(sent, sign(signingKey(secret, given.scope), policyText)));
    if (!isSigned) throw problems.signatureDoesNotMatch();
    const policy = readPolicy(policyText);
    checkPolicy(policy, fields, clock.nowMs());
    return { who: who(), policy };
  }
}

/** @throws Problem `EntityTooLarge`, `EntityTooSmall` when the file is not as long as the policy has it */
async function* bounded(file: AsyncIterable<Buffer>, { minBytes, maxBytes }: PostPolicy): AsyncIterable<Buffer> {
  let sizeBytes = 0;
  for await (const chunk of file) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) throw storageProblems.entityTooLarge();
    yield chunk;
  }
  if (sizeBytes < minBytes) throw problems.entityTooSmall();
}
