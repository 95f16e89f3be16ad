import type { Metadata, Sharp, SharpOptions } from "sharp";
import type { Gravity, OutputFormat, RenderLimits, RenderOrder, Rendition } from "./types.ts";

type SharpModule = typeof import("sharp").default;

/** Why there is no picture. Texts of decoders are not passed on: they say much of us and nothing to who asks. */
export class NoPicture extends Error {
  override readonly name = "NoPicture";
  readonly reason: "damaged" | "too-large";

  constructor(reason: "damaged" | "too-large", cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Makes one picture: upright by its EXIF orientation, in sRGB, with no word of where, when and by what it was taken. Never larger than it is.
 * @throws NoPicture
 */
export async function renderPicture(
  sharp: SharpModule,
  input: Buffer,
  order: RenderOrder,
  limits: RenderLimits,
): Promise<Rendition> {
  try {
    const found = await sharp(input, { limitInputPixels: limits.inputPixels }).metadata();
    const isMoving = movesWithin(found, limits);
    const options: SharpOptions = {
      limitInputPixels: limits.inputPixels,
      // Phones' files have many small faults that do no harm; what is cut off, or cannot be read, is refused.
      failOn: "error",
      // Rows are decoded as they are needed.
      sequentialRead: true,
      animated: isMoving,
    };
    const upright = found.autoOrient;
    const format = formatOf(found, order.formats, isMoving);
    const picture = resized(sharp(input, options).autoOrient(), order, upright, isMoving);
    const bytes = await encoded(picture.toColourspace("srgb"), format, order.quality).toBuffer();
    if (bytes.length > limits.outputBytes) throw new NoPicture("too-large");
    return { contentType: `image/${format}`, bytes };
  } catch (error) {
    if (error instanceof NoPicture) throw error;
    throw new NoPicture(error instanceof Error && /pixel limit/i.test(error.message) ? "too-large" : "damaged", error);
  }
}

function movesWithin({ pages = 1, width, height, format }: Metadata, { frames, inputPixels }: RenderLimits): boolean {
  const isFilm = format === "gif" || format === "webp";
  return isFilm && pages > 1 && pages <= frames && pages * width * height <= inputPixels;
}

/** WebP is the only other format here that moves. */
function formatOf({ format, hasAlpha }: Metadata, wanted: RenderOrder["formats"], isMoving: boolean): OutputFormat {
  const chosen = isMoving ? wanted.find((one) => one === "webp") : wanted[0];
  if (chosen !== undefined) return chosen;
  switch (format) {
    case "jpeg":
    case "png":
    case "webp":
    case "gif":
      return format;
    case "heif":
      return "avif";
    default:
      return hasAlpha ? "png" : "jpeg";
  }
}

function resized(picture: Sharp, order: RenderOrder, upright: Size, isMoving: boolean): Sharp {
  const { width, height, resize } = order;
  if (width === null && height === null) return picture;
  if (resize === "contain") {
    return picture.resize({
      ...(width === null ? {} : { width }),
      ...(height === null ? {} : { height }),
      fit: "inside",
      withoutEnlargement: true,
    });
  }
  // No side becomes longer than it is.
  const box = { width: Math.min(width!, upright.width), height: Math.min(height!, upright.height) };
  if (resize === "fill") return picture.resize({ ...box, fit: "fill" });
  if (order.gravity === "sm" && !isMoving) return picture.resize({ ...box, fit: "cover", position: "attention" });
  const scale = Math.max(box.width / upright.width, box.height / upright.height);
  const whole = {
    width: Math.max(box.width, Math.round(upright.width * scale)),
    height: Math.max(box.height, Math.round(upright.height * scale)),
  };
  return picture.resize({ ...whole, fit: "fill" }).extract({ ...box, ...cornerOf(order, whole, box) });
}

/** Where the part that stays begins. */
function cornerOf(
  { gravity, xOffset, yOffset }: RenderOrder,
  whole: Size,
  box: Size,
): { readonly left: number; readonly top: number } {
  const place = (room: number, isFirst: boolean, isLast: boolean, offset: number): number => {
    const at = isFirst ? offset : isLast ? room - offset : Math.round(room / 2) + offset;
    return Math.min(Math.max(at, 0), room);
  };
  const isAt = (...these: readonly Gravity[]): boolean => these.includes(gravity);
  return {
    left: place(whole.width - box.width, isAt("we", "nowe", "sowe"), isAt("ea", "noea", "soea"), xOffset),
    top: place(whole.height - box.height, isAt("no", "noea", "nowe"), isAt("so", "soea", "sowe"), yOffset),
  };
}

function encoded(picture: Sharp, format: OutputFormat, quality: number): Sharp {
  switch (format) {
    case "jpeg":
      return picture.flatten({ background: "#fff" }).jpeg({ quality });
    case "png":
      return picture.png();
    case "webp":
      return picture.webp({ quality });
    case "gif":
      return picture.gif();
    case "avif":
      // Effort 4, its default, takes three times as long for some 3 % fewer bytes.
      return picture.avif({ quality, effort: 2 });
  }
}
