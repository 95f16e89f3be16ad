import { randomBytes, randomUUID } from "node:crypto";
import type { Channel } from "../types.ts";
import type { Meta } from "./room-view.ts";

/** What a channel of this node has to do with presence. */
export interface Own {
  readonly key: string;
  /** Of the tracking channel, among those of this node. */
  readonly id: number;
  /** It has had the state, so diffs make sense to it. */
  hasState: boolean;
  /** What it tracks. */
  meta: Meta | null;
}

/** The channels of this node, and names for what they track. */
export class OwnPresences {
  readonly #channels = new WeakMap<Channel, Own>();
  /** Refs of two nodes, or of two starts of one, must differ. */
  readonly #refPrefix = randomBytes(6).toString("base64url");
  #lastId = 0;
  #lastRef = 0;

  of(channel: Channel): Own {
    let own = this.#channels.get(channel);
    if (own === undefined) {
      const { key } = channel.config.presence;
      own = { key: key === "" ? randomUUID() : key, id: ++this.#lastId, hasState: false, meta: null };
      this.#channels.set(channel, own);
    }
    return own;
  }

  /** `undefined` for a channel nothing was done with. */
  find(channel: Channel): Own | undefined {
    return this.#channels.get(channel);
  }

  meta(key: string, fields: string): Meta {
    this.#lastRef += 1;
    return { key, ref: `${this.#refPrefix}.${this.#lastRef.toString(36)}`, fields };
  }
}
