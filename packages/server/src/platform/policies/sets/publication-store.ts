import { publicationStoreOf } from "../../changes/publication-store.ts";

export type { PublishedState } from "../../changes/publication-store.ts";

/** Tables that policies look into (migration 0014). */
export const publicationStore = publicationStoreOf("mainstay_policies");
