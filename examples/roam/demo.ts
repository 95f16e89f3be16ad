import { parseArgs } from "node:util";
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { beginWithoutAccount, leave, type Person, secureThePayout, signUpByCode } from "./demo/accounts.ts";
import { addPhotos, checkForgotten, handInDocument, showFace } from "./demo/files.ts";
import { useFunctions } from "./demo/functions.ts";
import { openInbox } from "./demo/inbox.ts";
import { listen } from "./demo/live.ts";
import { check, tell } from "./demo/say.ts";
import { findSecrets } from "./demo/secrets.ts";
import { findServer, isServing } from "./demo/server.ts";
import { talk } from "./demo/talk.ts";

/**
 * Two people use Roam through the unmodified supabase-js. Prints what happens, line by line; ends with exit code 1 at the first thing that
 * is not as it should be.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { url: { type: "string" }, key: { type: "string" } } });
  const { url, anonKey } = findServer(values);
  if (!(await isServing(url))) {
    process.stderr.write(`No server answers at ${url}: run \`npm start\` in another terminal, then this again.\n`);
    process.exitCode = 1;
    return;
  }
  const inbox = openInbox(url);
  if (!(await inbox.isOpen())) {
    process.stderr.write(
      `The server at ${url} shows no inbox, where the codes of mails are read: \`npm start\` has one.\n`,
    );
    process.exitCode = 1;
    return;
  }
  const newcomer = () => createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } });

  tell(`Roam at ${url}`);
  const nora = await signUpByCode(newcomer(), inbox, "Nora");
  const omar = await beginWithoutAccount(newcomer(), inbox, "Omar");
  await searchNearby(newcomer());
  await review(nora, omar);
  await showFace(nora, omar, newcomer());
  await addPhotos(nora, omar, newcomer());
  await keepListPrivate(nora, omar);
  await raceForSlot(nora, omar, newcomer());
  await useFunctions({ url }, inbox, findSecrets(), [nora, omar]);
  await talk(nora, omar, newcomer());
  await handInDocument(omar, nora);
  await secureThePayout(nora, omar);
  await leave(url, anonKey, omar, nora);
  await leave(url, anonKey, nora, { ...omar, roam: newcomer() });
  await checkForgotten(newcomer(), nora);
  tell("Everything held.");
}

const lisbon = 2267057;

async function searchNearby(anyone: SupabaseClient): Promise<void> {
  const { data: near } = await anyone
    .rpc("nearby", { lat: 38.7167, lng: -9.1333, radius_m: 15_000, max_results: 5 })
    .throwOnError();
  check(
    near.length === 5 && near[0].name === "Lisbon",
    `nothing but Lisbon is nearest to Lisbon, not ${near[0]?.name}`,
  );
  check(
    near.every((place: { distance_m: number }, i: number) => i === 0 || place.distance_m >= near[i - 1].distance_m),
    "places nearby should come nearest first",
  );
  const list = near.map(
    (p: { name: string; distance_m: number }) => `${p.name} ${(p.distance_m / 1000).toFixed(1)} km`,
  );
  tell(`Without an account, around Lisbon's castle: ${list.join(", ")}.`);
  const { data: found } = await anyone.rpc("search_places", { query: "sao paul", max_results: 1 }).throwOnError();
  check(found[0]?.name === "São Paulo", `"sao paul" should find São Paulo, not ${found[0]?.name}`);
  tell(`Typing "sao paul" finds ${found[0].name}.`);
}

async function review(nora: Person, omar: Person): Promise<void> {
  const before = await ratingOf(nora.roam);
  await nora.roam.from("reviews").insert({ place_id: lisbon, rating: 5, body: "The light!" }).throwOnError();
  const after = await ratingOf(omar.roam);
  check(after.review_count === before.review_count + 1, "a review should be counted at once");
  tell(`Nora reviews Lisbon; it now has ${after.review_count} reviews and a rating of ${after.rating}.`);

  const { data: changed } = await omar.roam
    .from("reviews")
    .update({ rating: 1 })
    .eq("author_id", nora.id)
    .select()
    .throwOnError();
  check(changed.length === 0, "Omar changed a review of Nora's");
  const forged = await omar.roam.from("reviews").insert({ place_id: lisbon, rating: 1, author_id: nora.id });
  check(
    forged.error?.code === "42501",
    `a review in another's name should be refused with 42501, not ${forged.error?.code}`,
  );
  tell("Omar can neither change Nora's review nor write one in her name.");
}

async function ratingOf(roam: SupabaseClient): Promise<{ rating: number; review_count: number }> {
  const { data } = await roam.from("places").select("rating, review_count").eq("id", lisbon).single().throwOnError();
  return data;
}

async function keepListPrivate(nora: Person, omar: Person): Promise<void> {
  const { data: list } = await nora.roam
    .from("lists")
    .insert({ title: "Our honeymoon" })
    .select("id")
    .single()
    .throwOnError();
  await nora.roam.from("list_items").insert({ list_id: list.id, place_id: lisbon, note: "A surprise" }).throwOnError();
  const read = (person: Person) =>
    person.roam.from("lists").select("title, list_items(note, places(name))").eq("id", list.id).throwOnError();

  check((await read(omar)).data.length === 0, "Omar read Nora's private list");
  const { data: items } = await omar.roam.from("list_items").select().eq("list_id", list.id).throwOnError();
  check(items.length === 0, "Omar read what is in Nora's private list");
  const intruding = await omar.roam.from("list_members").insert({ list_id: list.id, member_id: omar.id });
  check(
    intruding.error?.code === "42501",
    `joining a list uninvited should be refused with 42501, not ${intruding.error?.code}`,
  );
  tell("Nora makes a private list; Omar asks for it and gets nothing.");

  await nora.roam.from("list_members").insert({ list_id: list.id, member_id: omar.id }).throwOnError();
  check((await read(omar)).data[0]?.list_items.length === 1, "Omar cannot read the list Nora shared with him");
  tell("She shares it with him, and it is there.");
}

async function raceForSlot(nora: Person, omar: Person, anyone: SupabaseClient): Promise<void> {
  // A host of its own per run: the hours of one host must not overlap.
  const startsAt = Date.now() + 86_400_000;
  const { data: slot } = await nora.roam
    .from("slots")
    .insert({
      place_id: lisbon,
      title: "Sunset by boat",
      starts_at: new Date(startsAt).toISOString(),
      ends_at: new Date(startsAt + 7_200_000).toISOString(),
    })
    .select("id")
    .single()
    .throwOnError();
  const changes = await listen<{ is_booked: boolean }>(anyone, {
    event: "UPDATE",
    table: "slots",
    filter: `id=eq.${slot.id}`,
  });
  const book = async (person: Person) => ({
    person,
    ...(await person.roam.from("bookings").insert({ slot_id: slot.id })),
  });
  const outcomes = await Promise.all([book(nora), book(omar)]);
  const won = outcomes.filter((outcome) => outcome.error === null);
  const lost = outcomes.filter((outcome) => outcome.error !== null);
  check(won.length === 1 && lost.length === 1, `exactly one of two should get the slot, not ${won.length}`);
  check(lost[0]?.status === 409 && lost[0].error?.code === "23505", `the other should get 409, not ${lost[0]?.status}`);
  tell(
    `Both book the same slot at once: ${won[0]?.person.name} has it, ${lost[0]?.person.name} is told it is taken (409).`,
  );
  await changes.first(({ is_booked }) => is_booked, "word that the slot is booked");
  tell("Whoever looks at the slot sees it turn from free to booked.");
}

try {
  await main();
} catch (error) {
  // PostgrestError and AuthError carry what the server said; a stack of the client library would hide it.
  const said = error instanceof Error ? error.message : JSON.stringify(error);
  process.stderr.write(`That should not have happened: ${said}\n`);
  process.exitCode = 1;
}
// Channels keep the process, and so does the client library: it waits ten seconds for answers to tokens, which have none.
process.exit();
