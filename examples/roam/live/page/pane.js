import { showFaces } from "./faces.js";
import { followRows, joinConversation } from "./live.js";
import { signIn } from "./people.js";
import { showPhotos } from "./photos.js";
import { showSlots } from "./slots.js";
import { showTalk } from "./talk.js";

/** One person's phone. @param {HTMLElement} pane @param {import("./people.js").Person} me @param {import("./people.js").Person} other */
export async function openPane(pane, project, me, other) {
  pane.querySelector("h2").textContent = me.name;
  pane.querySelector(".about").textContent = me.about;
  pane.querySelector(".talk h3").textContent = other.name;
  const client = await signIn(project, me);
  const slots = showSlots(pane, client, me);
  const talk = showTalk(pane, client, me, other);
  const faces = showFaces(pane, client, me, other);
  const photos = showPhotos(pane, client, project, me);
  addTunnel(pane, client, talk, photos);

  /** Rows first followed, then read: nothing that happens in between is missed. What comes twice is shown once. */
  async function read() {
    const [, id] = await Promise.all([slots.read(), findConversation(client, me, other), faces.read(), photos.read()]);
    if (id === null) return;
    if (talk.open(id)) joinConversation(client, id, me, talk);
    await talk.read();
  }
  /** May be told twice: then it is open already. */
  async function broughtIn({ conversation_id: id }) {
    if (!talk.open(id)) return;
    joinConversation(client, id, me, talk);
    await talk.read();
  }
  await followRows(client, me, {
    read,
    slotChanged: slots.changed,
    booked: slots.booked,
    cancelled: slots.cancelled,
    said: talk.said,
    takenBack: talk.takenBack,
    broughtIn,
    profileChanged: faces.changed,
    photoAdded: photos.added,
    photoRemoved: photos.removed,
  });
}

/** The newest conversation of these two. The guest begins one where there is none; the host is told of it live. */
async function findConversation(client, me, other) {
  const { data } = await client
    .from("conversation_members")
    .select("conversation_id, joined_at")
    .eq("member_id", other.id)
    .order("joined_at", { ascending: false })
    .limit(1)
    .throwOnError();
  if (data.length > 0) return data[0].conversation_id;
  if (me.username !== "ada") return null;
  const begun = await client
    .rpc("start_conversation", { member_ids: [other.id], title: "Walk through Alfama" })
    .single()
    .throwOnError();
  return begun.data.id;
}

/** In a tunnel there is no connection. What happens meanwhile comes afterwards, and nobody asks for it again. */
function addTunnel(pane, client, talk, photos) {
  const [button, notice] = [pane.querySelector(".tunnel"), pane.querySelector(".notice")];
  button.addEventListener("click", async () => {
    const isIn = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(isIn));
    button.textContent = isIn ? "Leave tunnel" : "Enter tunnel";
    pane.classList.toggle("offline", isIn);
    notice.textContent = "In a tunnel. What happens meanwhile comes afterwards.";
    notice.hidden = !isIn;
    for (const control of pane.querySelectorAll(".composer *, .slots button, .avatar input, .photos input"))
      control.disabled = isIn;
    if (isIn) {
      talk.left();
      photos.pause();
      await client.realtime.disconnect();
    } else {
      client.realtime.connect();
      photos.resume();
    }
  });
}
