import { host } from "./people.js";

const day = new Intl.DateTimeFormat("en", { weekday: "short", day: "numeric", month: "short" });
const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/**
 * The walks that Davi offers. Everybody sees whether one is free; who booked it is told to its guest and its host alone, by the policies
 * of `bookings`.
 */
export function showSlots(pane, client, me) {
  const [title, list] = [pane.querySelector(".tour h3"), pane.querySelector(".slots")];
  /** By id: `{ slot, booking, item }`. */
  const shown = new Map();
  const names = new Map([[me.id, "you"]]);

  async function nameOf(id) {
    if (!names.has(id)) {
      const { data } = await client.from("profiles").select("display_name").eq("id", id).maybeSingle();
      names.set(id, data?.display_name?.split(" ")[0] ?? "somebody");
    }
    return names.get(id);
  }

  async function draw(entry) {
    const by = entry.booking === null ? null : await nameOf(entry.booking.guest_id);
    // Looked at after waiting: it may have changed meanwhile.
    const { slot, booking, item } = entry;
    const isMine = booking?.guest_id === me.id;
    const state = isMine ? "mine" : slot.is_booked ? "taken" : "free";
    const words = { mine: "Yours", taken: by === null ? "Taken" : `Booked by ${by}`, free: "Free" };
    const [from, until] = [new Date(slot.starts_at), new Date(slot.ends_at)];
    item.className = state;
    item.replaceChildren(
      element("strong", day.format(from)),
      element("span", `${time.format(from)}–${time.format(until)}`),
      element("em", words[state]),
    );
    if (slot.host_id === me.id || (state === "taken" && !isMine)) return;
    const button = element("button", isMine ? "Cancel" : "Book");
    button.type = "button";
    button.className = "act";
    button.disabled = pane.classList.contains("offline");
    button.setAttribute("aria-label", `${button.textContent} ${day.format(from)}`);
    button.addEventListener("click", () => (isMine ? cancel(booking) : book(slot, button)));
    item.append(button);
  }

  async function book({ id }, button) {
    button.disabled = true;
    const { error } = await client.from("bookings").insert({ slot_id: id });
    // Somebody was faster (23505): the slot says so in a moment.
    if (error && error.code !== "23505") button.disabled = false;
  }

  async function cancel({ id }) {
    await client.from("bookings").delete().eq("id", id);
  }

  /** Changes what is known of a slot. */
  function amend(id, change) {
    const entry = shown.get(id);
    if (entry === undefined) return;
    Object.assign(entry, change(entry));
    void draw(entry);
    entry.item.classList.add("fresh");
  }

  return {
    async read() {
      const { data } = await client
        .from("slots")
        .select("*, booking:bookings(id, slot_id, guest_id)")
        .eq("host_id", host.id)
        .gt("starts_at", new Date().toISOString())
        .order("starts_at")
        .limit(7)
        .throwOnError();
      title.textContent = data[0]?.title ?? "No walks on offer";
      shown.clear();
      for (const { booking, ...slot } of data) {
        shown.set(slot.id, { slot, booking: [booking].flat()[0] ?? null, item: document.createElement("li") });
      }
      await Promise.all([...shown.values()].map(draw));
      list.replaceChildren(...[...shown.values()].map(({ item }) => item));
    },
    changed: (slot) => amend(slot.id, () => ({ slot })),
    booked: (booking) => amend(booking.slot_id, () => ({ booking })),
    /** Of a deleted row its key is told and no more. */
    cancelled({ id }) {
      const entry = [...shown.values()].find(({ booking }) => booking?.id === id);
      if (entry !== undefined) amend(entry.slot.id, () => ({ booking: null }));
    },
  };
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}
