/** Shown at most this wide; twice as many pixels where screens are fine. */
const sidePixels = 96;

/** One's own face, to be changed by choosing a picture, and the other's beside the conversation. */
export function showFaces(pane, client, me, other) {
  const avatars = client.storage.from("avatars");
  const own = pane.querySelector(".avatar.own");
  const places = new Map([
    [me.id, own],
    [other.id, pane.querySelector(".avatar.other")],
  ]);
  for (const { id, name } of [me, other]) places.get(id).querySelector(".initial").textContent = name[0];

  function draw({ id, avatar_version: version }) {
    const image = places.get(id)?.querySelector("img");
    if (!image) return;
    image.hidden = version === null;
    if (version === null) return;
    const { data } = avatars.getPublicUrl(`${id}/avatar`, { transform: { width: sidePixels, height: sidePixels } });
    // A new face has a new address, so that caches may keep each for ever.
    image.src = `${data.publicUrl}&v=${version}`;
  }

  own.querySelector("input").addEventListener("change", async ({ target }) => {
    const [file] = target.files;
    if (!file) return;
    own.classList.add("busy");
    const { error } = await avatars.upload(`${me.id}/avatar`, file, { upsert: true, cacheControl: "31536000" });
    own.classList.remove("busy");
    target.value = "";
    own.title = error?.message ?? "Change the picture";
    own.classList.toggle("failed", error !== null);
  });

  return {
    async read() {
      const { data } = await client
        .from("profiles")
        .select("id, avatar_version")
        .in("id", [me.id, other.id])
        .throwOnError();
      data.forEach(draw);
    },
    changed: draw,
  };
}
