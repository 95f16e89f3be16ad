/** Formats that are written. What is read besides becomes JPEG, or PNG where it is transparent. */
export type OutputFormat = "jpeg" | "png" | "webp" | "gif" | "avif";

export type Resize = "cover" | "contain" | "fill";

/** Which part stays where something is cut off, in imgproxy's words. `sm`: where the eye goes first. */
export type Gravity = "ce" | "no" | "so" | "ea" | "we" | "noea" | "nowe" | "soea" | "sowe" | "sm";

/** How an image is to be, as it was asked for (protocols: image transforms). */
export interface Transformation {
  /** Pixels; `null` where it follows from the other side. */
  readonly width: number | null;
  readonly height: number | null;
  readonly resize: Resize;
  /** 20 to 100; `null` where nothing was said. */
  readonly quality: number | null;
  /** `null` leaves it to what the client accepts. */
  readonly format: "origin" | "webp" | "avif" | null;
  readonly gravity: Gravity;
  /** Pixels from the edge, or the middle, that `gravity` names. */
  readonly xOffset: number;
  readonly yOffset: number;
}

/** What a renderer is told to do: nothing of it depends on who asks. */
export interface RenderOrder {
  readonly width: number | null;
  readonly height: number | null;
  readonly resize: Resize;
  readonly quality: number;
  readonly gravity: Gravity;
  readonly xOffset: number;
  readonly yOffset: number;
  /** The first that suits the image; the image's own where none does. */
  readonly formats: readonly ("webp" | "avif")[];
}

export interface RenderLimits {
  /** Of all pictures of a moving image together. */
  readonly inputPixels: number;
  readonly frames: number;
  readonly outputBytes: number;
}

/** A picture made from an object's bytes. Shared: nobody changes it. */
export interface Rendition {
  readonly contentType: string;
  readonly bytes: Buffer;
}
