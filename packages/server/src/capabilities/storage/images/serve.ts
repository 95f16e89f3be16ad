import type { Call, Reply } from "../../../kernel/route.ts";
import type { ContentReader } from "../content/types.ts";
import { problems } from "../problems.ts";
import { conditionOf, type ServeOptions, type Serving } from "../serving/index.ts";
import type { StoredObject } from "../types.ts";
import type { Images } from "./images.ts";
import { acceptedFormats, orderOf, transformationsText } from "./parameters.ts";
import type { Rendition, Transformation } from "./types.ts";

type AskedCall = Pick<Call, "method" | "headers" | "signal">;
/** As `Serving.serve`, and looks objects up anew where their bytes were replaced while they were asked for. */
type PictureOptions = Omit<ServeOptions, "reader" | "again"> & { readonly find: () => Promise<StoredObject | null> };

/** Sends pictures of objects as objects are sent: the same conditions, ranges, headers and audience. */
export interface Pictures {
  /** @throws Problem `NoSuchKey` when `find` finds nothing, and those of `Images.render` */
  serve(call: AskedCall, transformation: Transformation, options: PictureOptions): Promise<Reply>;
}

export function createPictures(needs: {
  readonly images: Images;
  readonly serving: Serving;
  readonly isAvifOffered: boolean;
}): Pictures {
  const { images, serving, isAvifOffered } = needs;
  return {
    async serve(call, transformation, { find, ...options }) {
      const order = orderOf(transformation, acceptedFormats(call.headers.accept, isAvifOffered));
      const send = async (object: StoredObject): Promise<Reply> => {
        const etag = images.etagOf(object, order);
        const file: StoredObject = { ...object, etag, version: object.version && `${object.version} ${etag}` };
        // A copy that is good says that the picture could be made: nothing has to be.
        if (conditionOf(call.headers, file) !== "send") return serving.serve(call, file, options);
        const picture = await images.render(object, order, call.signal);
        const shown = { ...file, contentType: picture.contentType };
        return serving.serve(call, shown, { ...options, reader: readerOf(picture) });
      };
      const object = await find();
      if (object === null) throw problems.noSuchKey();
      const reply = await send(object).catch(async (error: unknown) => {
        // Replaced between our looks at its row and at its bytes; any other failure is the same again.
        const now = await find();
        if (now === null || now.version === object.version) throw error;
        return send(now);
      });
      return {
        ...reply,
        headers: [
          ...(transformation.format === null ? withVaryAccept(reply.headers) : reply.headers),
          "X-Transformations",
          transformationsText(transformation),
        ],
      };
    },
  };
}

const readerOf = ({ bytes }: Rendition): ContentReader => ({
  sizeBytes: bytes.length,
  async *stream(range) {
    yield range === undefined ? bytes : bytes.subarray(range.from, range.to);
  },
  whole: async () => bytes,
});

/** Caches keep one for each kind of client (RFC 9110 §12.5.5). */
function withVaryAccept(headers: readonly string[]): readonly string[] {
  const at = headers.indexOf("Vary") + 1;
  return at === 0 ? [...headers, "Vary", "Accept"] : headers.with(at, `${headers[at]}, Accept`);
}
