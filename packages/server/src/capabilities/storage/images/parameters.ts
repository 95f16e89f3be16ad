import { problems } from "../problems.ts";
import type { Gravity, RenderOrder, Resize, Transformation } from "./types.ts";

/** Names of parameters in a query, and in the `transform` of who signs a URL. */
type Given = Readonly<Record<string, unknown>>;

export const defaultQuality = 80;
const [leastQuality, mostQuality] = [20, 100];
const mostOffset = 100_000;

/** What imgproxy calls them, which the header repeats (protocols: image transforms). */
const resizingTypes: Readonly<Record<Resize, string>> = { cover: "fill", contain: "fit", fill: "force" };
const formats: ReadonlySet<string> = new Set(["origin", "webp", "avif"]);
const gravities: ReadonlySet<string> = new Set<Gravity>([
  "ce",
  "no",
  "so",
  "ea",
  "we",
  "noea",
  "nowe",
  "soea",
  "sowe",
  "sm",
]);

/**
 * What was asked for, from a query or a token. Sides beyond the largest are as large as may be, as elsewhere; other parameters are ignored.
 * @throws Problem `InvalidRequest` naming the first that cannot be used
 */
export function readTransformation(given: Given, maxSidePixels: number, where = "querystring"): Transformation {
  const whole = (name: string, least: number, most: number): number | null => {
    const value = given[name];
    if (value === undefined || value === null || value === "") return null;
    const number = typeof value === "string" && /^-?\d{1,9}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isSafeInteger(number)) {
      throw problems.invalidRequest(`${where}/${name} must be integer`);
    }
    if (number < least) throw problems.invalidRequest(`${where}/${name} must be >= ${least}`);
    if (number > most) throw problems.invalidRequest(`${where}/${name} must be <= ${most}`);
    return number;
  };
  const word = <T extends string>(name: string, isOne: (text: string) => boolean, unset: T | null): T | null => {
    const value = given[name];
    if (value === undefined || value === null || value === "") return unset;
    if (typeof value !== "string" || !isOne(value)) {
      throw problems.invalidRequest(`${where}/${name} must be equal to one of the allowed values`);
    }
    return value as T;
  };
  const side = (name: string): number | null => {
    const pixels = whole(name, 0, Number.MAX_SAFE_INTEGER);
    return pixels === null || pixels === 0 ? null : Math.min(pixels, maxSidePixels);
  };
  return {
    width: side("width"),
    height: side("height"),
    resize: word<Resize>("resize", (text) => Object.hasOwn(resizingTypes, text), "cover")!,
    quality: whole("quality", leastQuality, mostQuality),
    format: word<"origin" | "webp" | "avif">("format", (text) => formats.has(text), null),
    gravity: word<Gravity>("gravity", (text) => gravities.has(text), "ce")!,
    xOffset: whole("x_offset", -mostOffset, mostOffset) ?? 0,
    yOffset: whole("y_offset", -mostOffset, mostOffset) ?? 0,
  };
}

/** `X-Transformations`: `height:200,width:200,resizing_type:fill,quality:60`. */
export function transformationsText(transformation: Transformation): string {
  const { width, height, resize, quality, format, gravity, xOffset, yOffset } = transformation;
  const hasSide = width !== null || height !== null;
  const isMoved = gravity !== "ce" || xOffset !== 0 || yOffset !== 0;
  return [
    ...(height === null ? [] : [`height:${height}`]),
    ...(width === null ? [] : [`width:${width}`]),
    ...(hasSide ? [`resizing_type:${resizingTypes[resize]}`] : []),
    ...(isMoved ? [`gravity:${gravity}:${xOffset}:${yOffset}`] : []),
    ...(quality === null ? [] : [`quality:${quality}`]),
    ...(format === null || format === "origin" ? [] : [`format:${format}`]),
  ].join(",");
}

/** Formats that a client has named as welcome. Wildcards say nothing of what it can show. */
export function acceptedFormats(accept: string | undefined, isAvifOffered: boolean): RenderOrder["formats"] {
  const named = new Set<string>();
  for (const part of (accept ?? "").toLowerCase().split(",")) {
    const [type = "", ...parameters] = part.split(";").map((text) => text.trim());
    if (!parameters.some((text) => /^q=0(?:\.0*)?$/.test(text))) named.add(type);
  }
  return [
    ...(isAvifOffered && named.has("image/avif") ? (["avif"] as const) : []),
    ...(named.has("image/webp") ? (["webp"] as const) : []),
  ];
}

/** What is to be done, so that what comes to the same is the same. */
export function orderOf(transformation: Transformation, accepted: RenderOrder["formats"]): RenderOrder {
  const { width, height, resize, quality, format, gravity, xOffset, yOffset } = transformation;
  // Only where two sides are given can anything be cut off.
  const isCut = width !== null && height !== null && resize === "cover";
  return {
    width,
    height,
    resize: width === null || height === null ? "contain" : resize,
    quality: quality ?? defaultQuality,
    gravity: isCut ? gravity : "ce",
    xOffset: isCut && gravity !== "sm" ? xOffset : 0,
    yOffset: isCut && gravity !== "sm" ? yOffset : 0,
    formats: format === null ? accepted : format === "origin" ? [] : [format],
  };
}
