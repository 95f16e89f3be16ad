export interface Table {
  readonly columns: readonly string[];
  readonly json: readonly string[];
  readonly embeds: readonly string[];
  readonly key: string;
  readonly isWritable: boolean;
}
export const table = (columns: string, rest: Partial<Table> = {}): Table => ({
  columns: columns.split(" "),
  json: [],
  embeds: [],
  key: "id",
  isWritable: false,
  ...rest,
});

/** What of the fixture the generator speaks about. */
export const tables: Readonly<Record<string, Table>> = {
  films: table(
    "id title year director_id genre length rating tags on_show frame details summary summary_tsv is_restored",
    {
      json: ["details", "frame", "tags"],
      embeds: [
        "directors",
        "technical_specs",
        "trailers",
        "actors",
        "roles",
        "quotes",
        "screenings",
        "director:directors",
        "directors!films_director_fkey",
      ],
    },
  ),
  directors: table("id first_name last_name full_name", { embeds: ["films", "filmography", "debut", "film_titles"] }),
  actors: table("id name", { embeds: ["films", "roles", "quotes"] }),
  screenings: table("id film_id hall seats price", { embeds: ["films"] }),
  employees: table("id name supervisor_id", { embeds: ["employees", "supervisor_id"] }),
  best_friends: table("id owner_id first_id second_id", {
    embeds: ["owner:users!best_friends_owner_fkey", "first_id", "users"],
  }),
  film_titles: table("id title director_id", { embeds: ["directors"] }),
  films_per_year: table("year films", { key: "year" }),
  types: table("id big exact float flag day moment uid bytes doc docb ints span document size kind duration", {
    json: ["doc", "docb", "ints", "size"],
  }),
  letters: table("id letter", { isWritable: true }),
  products: table("id sku name quantity attributes labels", {
    json: ["attributes", "labels"],
    embeds: ["orders"],
    isWritable: true,
  }),
  pair_key: table("a b note", { key: "a", isWritable: true }),
  no_key: table("a b", { key: "a", isWritable: true }),
  nullable_pair: table("id a b", { isWritable: true }),
  notes: table("id owner_id body", { isWritable: true }),
  drop_box: table("id body", { isWritable: true }),
  phrases: table("id text", { isWritable: true }),
  canary_rows: table("id label owner_id", { isWritable: true }),
  canary_column: table("id label secret"),
  canary_locked: table("id secret film_id", { embeds: ["films"] }),
  staff_only: table("id pay"),
  "Strange%20names": table('id "with%20space" "dot.ted" "a,b" "(paren)" "quo\\"te" naïve-col "order"', {
    isWritable: true,
  }),
};
export const tableNames = Object.keys(tables);
/** Functions with their arguments; the last ones are not served, or nobody's. */
export const functions: Readonly<Record<string, readonly string[]>> = {
  add_them: ["a", "b"],
  say_hello: [],
  no_answer: [],
  numbers: [],
  all_films: [],
  film_by_id: ["film"],
  films_since: ["first_year"],
  split_name: ["full_name"],
  twice: ["n"],
  join_words: ["separator", "words"],
  total: ["parts"],
  keys_of: ["doc"],
  take_json: [],
  overloaded: ["a", "b"],
  no_film: [],
  bump: ["step"],
  doc_of: ["film"],
  who_am_i: [],
  who_am_i_writing: [],
  uid: [],
  isolation: [],
  only_one: [],
  fail_plainly: [],
  undecided: ["a"],
  canary_sing: ["song"],
  canary_sleep: ["seconds"],
  pg_sleep: [],
  version: [],
};
