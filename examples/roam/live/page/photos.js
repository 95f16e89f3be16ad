import { guest } from "./people.js";
import { uploadPhoto } from "./upload.js";

const lisbon = 2267057;
/** Shown half as wide: screens are fine. */
const sidePixels = 128;

/** What guests have photographed. The guest adds to it, with a review; everybody sees it come. */
export function showPhotos(pane, client, project, me) {
  const [section, list, said] = [".photos", ".photos ul", ".photos .said"].map((one) => pane.querySelector(one));
  const bucket = client.storage.from("review-photos");
  let review;
  let upload = null;

  const add = Object.assign(document.createElement("li"), { className: "add" });
  add.innerHTML = `<label title="Add a photo"><span aria-hidden="true">+</span>
    <input type="file" accept="image/jpeg,image/png,image/webp,image/avif" aria-label="Add a photo"></label>`;
  if (me.id === guest.id) list.append(add);
  const input = add.querySelector("input");

  function draw({ name, review_id }) {
    if (list.querySelector(`[data-name="${name}"]`) !== null) return;
    const item = document.createElement("li");
    item.dataset.name = name;
    const link = Object.assign(document.createElement("a"), { target: "_blank", rel: "noopener" });
    link.href = bucket.getPublicUrl(name).data.publicUrl;
    const transform = { width: sidePixels, height: sidePixels };
    const image = Object.assign(document.createElement("img"), { alt: "A photo of Lisbon", width: 64, height: 64 });
    // A server that cannot make it small has the file itself.
    image.addEventListener("error", () => Object.assign(image, { src: link.href }), { once: true });
    image.src = bucket.getPublicUrl(name, { transform }).data.publicUrl;
    link.append(image);
    item.append(link);
    if (review_id === review) item.append(removal(name));
    list.prepend(item);
    section.classList.remove("empty");
  }

  function removal(name) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
    button.setAttribute("aria-label", "Remove the photo");
    button.addEventListener("click", async () => {
      const { error } = await bucket.remove([name]);
      if (!error) photos.removed({ name });
    });
    return button;
  }

  async function begin(file) {
    const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
    bar.setAttribute("aria-label", `How far ${file.name} is`);
    const item = Object.assign(document.createElement("li"), { className: "coming" });
    const image = Object.assign(document.createElement("img"), { alt: "", src: URL.createObjectURL(file) });
    item.append(image, bar);
    add.before(item);
    section.classList.remove("empty");
    said.textContent = "";
    input.disabled = true;
    upload = uploadPhoto(client, project, review, file, (share) => {
      bar.value = share;
    });
    said.textContent = (await upload.ended) ?? "";
    upload = null;
    URL.revokeObjectURL(image.src);
    item.remove();
    input.disabled = pane.classList.contains("offline");
    mark();
  }
  const mark = () => section.classList.toggle("empty", list.querySelector("li:not(.add)") === null);

  input.addEventListener("change", () => {
    const [file] = input.files;
    if (file) void begin(file);
    input.value = "";
  });

  const photos = {
    async read() {
      const { data } = await client
        .from("reviews")
        .select("id, author_id, review_photos(name, review_id, created_at)")
        .eq("place_id", lisbon)
        .throwOnError();
      review = data.find(({ author_id }) => author_id === me.id)?.id;
      add.hidden = review === undefined;
      const found = data.flatMap(({ review_photos }) => review_photos);
      for (const photo of found.sort((one, other) => one.created_at.localeCompare(other.created_at))) draw(photo);
      mark();
    },
    added: draw,
    removed({ name }) {
      list.querySelector(`[data-name="${name}"]`)?.remove();
      mark();
    },
    /** In a tunnel: what was taken stays taken. */
    pause: () => upload?.pause(),
    resume: () => upload?.resume(),
  };
  return photos;
}
