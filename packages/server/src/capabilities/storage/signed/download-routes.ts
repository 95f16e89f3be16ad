import { json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { downloadOf, type Serving } from "../serving/index.ts";
import { refuseVersions } from "../versions.ts";
import { readBody, readExpiresIn, readPaths, readTransform } from "./body.ts";
import type { UrlTokens } from "./url-tokens.ts";

/** How many files are looked up at once for one request. */
const atOnce = 50;
/** As clients compare it (protocols: signed URLs). The same for what is not there and what is not theirs (threat S14). */
const noSuchPath = "Either the object does not exist or you do not have access to it";

/** The token of a signed URL, as its query has it. @throws Problem `MissingParameter` */
export function tokenIn(query: string): string {
  const token = new URLSearchParams(query).get("token");
  if (token === null || token === "") throw problems.missingParameter("token");
  return token;
}

/** Signed URLs for reading (protocols: signed URLs). */
export function signedDownloadRoutes(core: StorageCore, tokens: UrlTokens, serving: Serving): readonly Route[] {
  const { objects, identity, settings } = core;

  return [
    {
      method: "POST",
      path: "/object/sign/:bucket/*",
      access: "open",
      summary: "A URL by which anybody can read a file for a while.",
      async handle(call) {
        const who = callerOf(call, identity);
        const body = await readBody(call);
        refuseVersions(body);
        const lifeSeconds = readExpiresIn(body, settings.storageSignedUrlMaxSeconds);
        const transformations = readTransform(body);
        const url = `${call.params.bucket!}/${call.params["*"]!}`;
        const object = await objects.find(who, call.params.bucket!, call.params["*"]!, "storage.object.sign");
        if (object === null) throw problems.noSuchKey();
        if (transformations === null) {
          return json({
            signedURL: `/object/sign/${url}?token=${tokens.sign({ url, scope: "download" }, lifeSeconds)}`,
          });
        }
        const token = tokens.sign({ url, scope: "render", transformations }, lifeSeconds);
        return json({ signedURL: `/render/image/sign/${url}?token=${token}` });
      },
    },
    {
      method: "POST",
      path: "/object/sign/:bucket",
      access: "open",
      summary: "URLs by which anybody can read these files for a while, in their order.",
      async handle(call) {
        const who = callerOf(call, identity);
        const body = await readBody(call);
        const lifeSeconds = readExpiresIn(body, settings.storageSignedUrlMaxSeconds);
        const paths = readPaths(body, settings.storageSignManyMaxPaths);
        const bucketId = call.params.bucket!;
        const signOne = async (path: string) => {
          const object = await objects.find(who, bucketId, path, "storage.object.sign_many");
          if (object === null) return { error: noSuchPath, path, signedURL: null };
          const url = `${bucketId}/${path}`;
          const token = tokens.sign({ url, scope: "download" }, lifeSeconds);
          return { error: null, path, signedURL: `/object/sign/${url}?token=${token}` };
        };
        const signed: Awaited<ReturnType<typeof signOne>>[] = [];
        for (let at = 0; at < paths.length; at += atOnce) {
          signed.push(...(await Promise.all(paths.slice(at, at + atOnce).map(signOne))));
        }
        return json(signed);
      },
    },
    {
      method: ["GET", "HEAD"],
      path: "/object/sign/:bucket/*",
      access: "open",
      summary: "A file, for whoever has a signed URL of it.",
      async handle(call) {
        const bucketId = call.params.bucket!;
        const name = call.params["*"]!;
        const { expiresAtMs } = tokens.verify(tokenIn(call.query), { url: `${bucketId}/${name}`, scope: "download" });
        const find = () => objects.findAsServer(bucketId, name);
        const object = await find();
        if (object === null) throw problems.noSuchKey();
        return serving.serve(call, object, {
          audience: "caller",
          download: downloadOf(call.query),
          expiresAtMs,
          again: find,
        });
      },
    },
  ];
}
