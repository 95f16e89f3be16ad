import type { SupabaseClient } from "@supabase/supabase-js";
import type { Person } from "./accounts.ts";
import { join, listen } from "./live.ts";
import { check, tell } from "./say.ts";

interface Membership {
  readonly conversation_id: string;
}
interface Message {
  readonly id: number;
  readonly body: string;
}

/** Two people in a conversation that both see as it happens, and a third who sees nothing of it. */
export async function talk(nora: Person, omar: Person, anyone: SupabaseClient): Promise<void> {
  const [invitations, toldHer, toldHim, toldOthers] = await Promise.all([
    listen<Membership>(omar.roam, {
      event: "INSERT",
      table: "conversation_members",
      filter: `member_id=eq.${omar.id}`,
    }),
    listen<Message>(nora.roam, { event: "INSERT", table: "messages" }),
    listen<Message>(omar.roam, { event: "INSERT", table: "messages" }),
    listen<Message>(anyone, { event: "INSERT", table: "messages" }),
  ]);
  const { data: begun } = await nora.roam
    .rpc("start_conversation", { member_ids: [omar.id], title: "Boat" })
    .single<{ id: string }>()
    .throwOnError();
  await invitations.first((row) => row.conversation_id === begun.id, "word of the conversation");
  tell("Nora begins a conversation with Omar, and he is told of it.");

  const name = `conversation:${begun.id}`;
  const [hers, his] = await Promise.all([join(nora.roam, name, nora.id), join(omar.roam, name, omar.id)]);
  check(typeof hers !== "string", `Nora should get onto the channel, but: ${hers}`);
  check(typeof his !== "string", `Omar should get onto the channel, but: ${his}`);
  await Promise.all([hers, his].map((room) => room.whenHere([nora.id, omar.id])));
  await his.channel.send({ type: "broadcast", event: "typing", payload: { member_id: omar.id } });
  const typing = await hers.heard<{ member_id: string }>("typing");
  check(typing.member_id === omar.id, "Nora should see who is typing");
  const refusal = await join(anyone, name, "anybody");
  check(
    typeof refusal === "string" && refusal.startsWith("Unauthorized"),
    `somebody without an account should not get onto their channel, but: ${refusal}`,
  );
  tell("Each sees that the other is here, and she that he types; nobody else gets onto their channel.");

  const write = (person: Person, body: string) =>
    person.roam.from("messages").insert({ conversation_id: begun.id, body }).throwOnError();
  await write(nora, "Shall we share it?");
  await toldHim.first(({ body }) => body === "Shall we share it?", "Nora's message");
  await write(omar, "Gladly.");
  await toldHer.first(({ body }) => body === "Gladly.", "Omar's message");
  const { data: messages } = await omar.roam
    .from("messages")
    .select("body, sender:profiles(display_name)")
    .eq("conversation_id", begun.id)
    .order("id")
    .throwOnError();
  check(messages.length === 2, `Omar should see both messages, not ${messages.length}`);
  const { data: foreign } = await omar.roam.from("conversations").select("id").neq("id", begun.id).throwOnError();
  check(foreign.length === 0, "Omar sees conversations he is not in");
  check(toldOthers.seen.length === 0, "somebody without an account was told of their messages");
  tell(`They write to each other, live: ${messages.map((message) => `"${message.body}"`).join(" ")}`);
}
