/**
 * Where a project says what its database looks like, once for all its functions: `mainstay types` writes
 * `declare module "@mainstay/functions" { interface Register { database: Database } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: projects fill it in by declaration merging
export interface Register {}

/** The project's database, or anything while no types were written. */
// biome-ignore lint/suspicious/noExplicitAny: without types everything is allowed, as in supabase-js
export type Database = Register extends { database: infer D } ? D : any;
