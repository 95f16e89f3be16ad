import type { SupabaseClient } from "@supabase/supabase-js";
import type { Person } from "./accounts.ts";
import { paintSky } from "./picture.ts";
import { check, tell } from "./say.ts";

const lisbon = 2267057;
/** What a link to a document is good for: long enough to open it once. In seconds. */
const linkSeconds = 60;
const png = { contentType: "image/png" };

/** Where a person's face is, small. The version in it makes it another address with each new face, so that caches may keep it for ever. */
async function avatarUrl(roam: SupabaseClient, id: string): Promise<string> {
  const { data } = await roam.from("profiles").select("avatar_version").eq("id", id).single().throwOnError();
  const transform = { width: 96, height: 96 };
  const { publicUrl } = roam.storage.from("avatars").getPublicUrl(`${id}/avatar`, { transform }).data;
  return `${publicUrl}&v=${data.avatar_version}`;
}

/** A face for everybody to see, and only its owner to change. */
export async function showFace(nora: Person, omar: Person, anyone: SupabaseClient): Promise<void> {
  const upload = (roam: SupabaseClient, picture: Uint8Array<ArrayBuffer>) =>
    roam.storage
      .from("avatars")
      .upload(`${nora.id}/avatar`, picture, { ...png, upsert: true, cacheControl: "31536000" });
  const first = await upload(nora.roam, paintSky(640, 640, [250, 190, 90], [180, 70, 15]));
  check(first.error === null, `Nora should be able to upload her avatar, but: ${first.error?.message}`);
  const before = await avatarUrl(anyone, nora.id);
  const shown = await fetch(before, { headers: { accept: "image/webp,*/*" } });
  check(shown.ok, `everybody should see Nora's avatar, but: ${await shown.clone().text()}`);
  const sizeBytes = (await shown.arrayBuffer()).byteLength;
  tell(
    `Nora uploads a picture of herself; lists show it 96 pixels wide, as ${shown.headers.get("content-type")} of ${sizeBytes} bytes.`,
  );

  const again = await upload(nora.roam, paintSky(640, 640, [40, 90, 160], [240, 200, 170]));
  check(again.error === null, `Nora should be able to replace her avatar, but: ${again.error?.message}`);
  check((await avatarUrl(anyone, nora.id)) !== before, "a new avatar should have a new address");
  const forged = await upload(omar.roam, paintSky(8, 8, [0, 0, 0], [0, 0, 0]));
  check(refused(forged.error), "Omar replaced Nora's avatar");
  tell("She takes another one: its address changes, so no cache shows the old one. Omar cannot touch it.");
}

/** Photos of those who were there. */
export async function addPhotos(nora: Person, omar: Person, anyone: SupabaseClient): Promise<void> {
  const { data: review } = await nora.roam
    .from("reviews")
    .select("id")
    .eq("author_id", nora.id)
    .single()
    .throwOnError();
  const name = `${review.id}/river.png`;
  const photo = paintSky(1_600, 1_200, [250, 160, 90], [20, 60, 110]);
  const add = ({ roam }: Person) => roam.storage.from("review-photos").upload(name, photo, png);
  const early = await add(nora);
  check(refused(early.error), "Nora added a photo without having booked anything");
  await bookWith(omar, nora);
  const [hers, his] = [await add(nora), await add(omar)];
  check(hers.error === null, `a guest should be able to add a photo, but: ${hers.error?.message}`);
  check(refused(his.error), "Omar added a photo to Nora's review");
  const { data: shown } = await anyone
    .from("reviews")
    .select("body, review_photos(name)")
    .eq("id", review.id)
    .single()
    .throwOnError();
  check(shown.review_photos.length === 1, `a review should come with its photo, not ${shown.review_photos.length}`);
  const { data: small, error } = await anyone.storage
    .from("review-photos")
    .download(name, { transform: { width: 320, height: 240, quality: 70 } });
  check(error === null, `everybody should see the photo small, but: ${error?.message}`);
  tell(
    `A photo with a review takes a booking. Nora books a walk with Omar and adds one: ${kilobytes(photo.length)}, in a list ${kilobytes(small.size)}.`,
  );
}

/** Papers that nobody sees but their owner and those who check them. */
export async function handInDocument(omar: Person, nora: Person): Promise<void> {
  const documents = ({ roam }: Person) => roam.storage.from("identity-documents");
  const path = `${omar.id}/passport.png`;
  const { error } = await documents(omar).upload(path, paintSky(900, 600, [120, 20, 40], [90, 10, 30]), png);
  check(error === null, `Omar should be able to hand in a document, but: ${error?.message}`);
  const [signed, read, listed] = await Promise.all([
    documents(nora).createSignedUrl(path, linkSeconds),
    documents(nora).download(path),
    documents(nora).list(omar.id),
  ]);
  check(signed.error !== null && read.error !== null, "Nora can read Omar's passport");
  check(listed.data?.length === 0, "Nora can see what documents Omar has handed in");
  const { data: link } = await documents(omar).createSignedUrl(path, linkSeconds);
  check(link !== null && (await fetch(link.signedUrl)).ok, "Omar's own link to his passport should open it");
  const elsewhere = await fetch(link.signedUrl.replace("passport", "licence"));
  check(!elsewhere.ok, "a link to one document opened another");
  tell(
    `Omar hands in his passport: Nora sees neither it nor that it is there; his own link to it ends after ${linkSeconds} s.`,
  );
}

/** What was public of somebody is gone with the account. */
export async function checkForgotten(anyone: SupabaseClient, { id, name }: Person): Promise<void> {
  const { publicUrl } = anyone.storage.from("avatars").getPublicUrl(`${id}/avatar`).data;
  check(!(await fetch(publicUrl)).ok, `${name}'s avatar is still there`);
}

async function bookWith(host: Person, guest: Person): Promise<void> {
  const startsAt = Date.now() + 2 * 86_400_000;
  const { data: slot } = await host.roam
    .from("slots")
    .insert({
      place_id: lisbon,
      title: "Along the river",
      starts_at: new Date(startsAt).toISOString(),
      ends_at: new Date(startsAt + 7_200_000).toISOString(),
    })
    .select("id")
    .single()
    .throwOnError();
  await guest.roam.from("bookings").insert({ slot_id: slot.id }).throwOnError();
}

const refused = (error: Error | null): boolean => (error as { statusCode?: string } | null)?.statusCode === "403";
const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1_000)} kB`;
