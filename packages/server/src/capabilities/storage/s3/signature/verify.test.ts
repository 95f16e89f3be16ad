import { describe, expect, test } from "vitest";
import { canonicalHashes, type SignedRequest } from "./canonical.ts";
import { type Claim, readClaim } from "./claim.ts";
import { type Scope, sha256Hex, sign, signingKey, stringToSign } from "./signing.ts";
import { readTime } from "./times.ts";
import { checkTime, verify } from "./verify.ts";

const emptyHash = sha256Hex("");

/** The examples of the Amazon S3 API reference, "Signature calculations for the Authorization header" and "Query parameters". */
describe("Amazon S3's examples", () => {
  const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const host = "examplebucket.s3.amazonaws.com";
  const date = "20130524T000000Z";
  const authorization = (signed: string, signature: string) =>
    `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signed},Signature=${signature}`;
  const check = (request: SignedRequest) => verify(request, readClaim(request)!, secret);

  test("an object's range", () => {
    const signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    const verified = check({
      method: "GET",
      path: "/test.txt",
      query: "",
      headers: {
        host,
        range: "bytes=0-9",
        "x-amz-content-sha256": emptyHash,
        "x-amz-date": date,
        authorization: authorization("host;range;x-amz-content-sha256;x-amz-date", signature),
      },
    });
    expect(verified.signature).toBe(signature);
  });

  test("an object that is put", () => {
    const request: SignedRequest = {
      method: "PUT",
      path: "/test$file.text",
      query: "",
      headers: {
        host,
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-date": date,
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        authorization: authorization(
          "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
          "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
      },
    };
    expect(check(request).scope.region).toBe("us-east-1");
    // Each of these is what somebody on the way might change.
    for (const changed of [
      { ...request, method: "GET" },
      { ...request, path: "/test$file.tex" },
      { ...request, path: "//test$file.text" },
      { ...request, query: "acl" },
      { ...request, headers: { ...request.headers, host: "other.s3.amazonaws.com" } },
      { ...request, headers: { ...request.headers, "x-amz-storage-class": "STANDARD" } },
      { ...request, headers: { ...request.headers, "x-amz-content-sha256": emptyHash } },
    ]) {
      expect(() => check(changed)).toThrow(expect.objectContaining({ code: "SignatureDoesNotMatch" }));
    }
    expect(() => check({ ...request, headers: { ...request.headers, "x-amz-copy-source": "/a/b" } })).toThrow(
      expect.objectContaining({ code: "AccessDenied" }),
    );
  });

  test.each([
    ["lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"],
    ["max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
    ["prefix=J&max-keys=2", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"],
  ])("a query of %s", (query, signature) => {
    const headers = {
      host,
      "x-amz-content-sha256": emptyHash,
      "x-amz-date": date,
      authorization: authorization("host;x-amz-content-sha256;x-amz-date", signature),
    };
    expect(check({ method: "GET", path: "/", query, headers }).signature).toBe(signature);
  });

  test("a presigned URL", () => {
    const request = {
      method: "GET",
      path: "/test.txt",
      query:
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&" +
        "X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&" +
        "X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      headers: { host },
    };
    const claim = readClaim(request)!;
    expect(verify(request, claim, secret).time).toBe(date);
    const signedMs = readTime(date)!;
    checkTime(claim, signedMs + 86_399_000, 900_000);
    expect(() => checkTime(claim, signedMs + 86_400_000, 900_000)).toThrow("expired");
    expect(() => checkTime(claim, signedMs - 900_001, 900_000)).toThrow("not yet valid");
    expect(() => check({ ...request, query: request.query.replace("86400", "86401") })).toThrow("does not match");
  });
});

/** AWS's Signature Version 4 test suite: those of its requests that S3's rules for paths leave as they are. */
describe("AWS's test suite", () => {
  const scope: Scope = { day: "20150830", region: "us-east-1", service: "service" };
  const time = "20150830T123600Z";
  const key = signingKey("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", scope);
  const base = { host: "example.amazonaws.com", "x-amz-date": time };

  test.each<[string, Partial<SignedRequest>, string]>([
    ["get-vanilla", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
    [
      "get-vanilla-query-order-key-case",
      { query: "Param2=value2&Param1=value1" },
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ],
    [
      "get-unreserved",
      { path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" },
      "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
    ],
    ["get-utf8", { path: "/ሴ" }, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
    [
      "get-header-key-duplicate, as Node joins them",
      { headers: { ...base, "my-header1": "value2, value2, value1" } },
      "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
    ],
    [
      "get-header-value-order",
      { headers: { ...base, "my-header1": "value4, value1, value3, value2" } },
      "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
    ],
    [
      "get-header-value-trim",
      { headers: { ...base, "my-header1": "value1", "my-header2": ' "a   b   c"' } },
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ],
  ])("%s", (_name, given, signature) => {
    const request: SignedRequest = { method: "GET", path: "/", query: "", headers: base, ...given };
    const signed = Object.keys(request.headers).sort();
    const signatures = canonicalHashes(request, signed, emptyHash).map((hash) =>
      sign(key, stringToSign(time, scope, hash)),
    );
    expect(signatures).toContain(signature);
  });
});

describe("what a request says of its signature", () => {
  const good =
    "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, " +
    `Signature=${"a".repeat(64)}`;
  const request = (authorization: string, more: Record<string, string> = {}): SignedRequest => ({
    method: "GET",
    path: "/",
    query: "",
    headers: { host: "h", "x-amz-date": "20130524T000000Z", "x-amz-content-sha256": emptyHash, authorization, ...more },
  });

  test("is read with and without spaces", () => {
    expect(readClaim(request(good))).toMatchObject({ accessKeyId: "AK", signedHeaders: ["host", "x-amz-date"] });
    expect(readClaim(request(good.replaceAll(", ", ",")))).toEqual(readClaim(request(good)));
  });

  test.each([
    ["another scheme", good.replace("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1")],
    ["version 2", "AWS AK:c2lnbmF0dXJl"],
    ["a bearer", "Bearer abc"],
    ["another day", good.replace("20130524", "20130525")],
    ["another service", good.replace("/s3/", "/sts/")],
    ["no host", good.replace("host;", "")],
    ["upper case", good.replace("host;", "Host;")],
    ["a header twice", good.replace("host;", "host;host;")],
    ["a short signature", good.slice(0, -1)],
    ["a signature twice", `${good}, Signature=${"b".repeat(64)}`],
    ["nothing", ""],
  ])("is refused with %s", (_what, authorization) => {
    expect(() => readClaim(request(authorization))).toThrow(
      expect.objectContaining({ code: "AuthorizationHeaderMalformed" }),
    );
  });

  test("is refused with a time that is none, and without a hash of the body", () => {
    expect(() => readClaim(request(good, { "x-amz-date": "20130532T000000Z" }))).toThrow("x-amz-date");
    const { "x-amz-content-sha256": _hash, ...headers } = request(good).headers;
    expect(() => readClaim({ ...request(good), headers })).toThrow("x-amz-content-sha256");
  });

  test("is good for the skew and no longer", () => {
    const claim: Claim = readClaim(request(good))!;
    for (const offMs of [-900_000, 0, 900_000]) checkTime(claim, claim.timeMs + offMs, 900_000);
    for (const offMs of [-900_001, 900_001]) {
      expect(() => checkTime(claim, claim.timeMs + offMs, 900_000)).toThrow(
        expect.objectContaining({ code: "RequestTimeTooSkewed", status: 403 }),
      );
    }
  });

  test.each(["0", "604801", "-1", "1.5", ""])("of a URL that lives for %j seconds is refused", (expires) => {
    const query =
      `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F20130524%2Fr%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z` +
      `&X-Amz-Expires=${expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=${"a".repeat(64)}`;
    expect(() => readClaim({ method: "GET", path: "/", query, headers: { host: "h" } })).toThrow(
      expect.objectContaining({ code: "AuthorizationQueryParametersError" }),
    );
  });
});
