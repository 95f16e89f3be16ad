import { Problem } from "../../../kernel/problem.ts";

export const imageProblems = {
  /** The file is no image of a kind that can be transformed, or a damaged one. */
  notAnImage: () =>
    new Problem("InvalidImage", 400, "The file is not an image that can be transformed.", {
      hint: "JPEG, PNG, WebP, GIF, AVIF and TIFF can be. An SVG needs no other sizes: ask for the file itself.",
    }),
  /** The image has more bytes or pixels than the server transforms, or took it too much memory. */
  tooLarge: (message = "The image is too large to be transformed.") =>
    new Problem("ImageTooLarge", 413, message, { hint: "Settings that begin with storageImage say what is allowed." }),
  /** The image took the server longer than one may (`storageImageTimeoutMs`). It is not tried again for a minute. */
  tooSlow: () =>
    new Problem("ImageTimeout", 504, "The image takes too long to be transformed.", {
      hint: "Ask for another size or format, or for the file itself.",
      headers: { "Retry-After": "60" },
    }),
  /** As many images wait to be transformed as may. Ask again. */
  busy: () =>
    new Problem("SlowDown", 503, "Too many images are being transformed.", {
      hint: "Try again soon.",
      headers: { "Retry-After": "2" },
    }),
  /** Images cannot be transformed here: the optional package sharp is not installed for this machine. */
  unavailable: (cause?: unknown) =>
    new Problem("ImagesUnavailable", 501, "This server cannot transform images.", {
      hint: "Whoever runs it has to install the optional package sharp.",
      cause,
    }),
  /** The process that transforms images could not be started, or was stopped. */
  stopped: (cause?: unknown) =>
    new Problem("ImagesStopped", 503, "The image could not be transformed now.", {
      hint: "Try again soon.",
      headers: { "Retry-After": "2" },
      cause,
    }),
};
