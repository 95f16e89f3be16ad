/** What JSON can say: payloads, results and events are kept as it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };
