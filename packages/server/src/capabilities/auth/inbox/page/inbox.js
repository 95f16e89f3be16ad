// The inbox page. What comes from messages is put in as text, never as markup; a mail's HTML goes into a frame that shuts it in.

const pollMs = 2_000;
const listLimit = 200;
const api = "/inbox/api/messages";
const channels = { sms: "SMS", whatsapp: "WhatsApp" };

const place = {
  list: document.getElementById("list"),
  empty: document.getElementById("empty"),
  count: document.getElementById("count"),
  filter: document.getElementById("filter"),
  clear: document.getElementById("clear"),
  message: document.getElementById("message"),
};

/** What the server said last. */
let messages = [];
/** The list as drawn, so that nothing is drawn again that has not changed. */
let drawn = "";
let shownId = null;
let tab = "mail";

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const chosenId = () => decodeURIComponent(location.hash.replace(/^#\/?/, ""));
const headline = (message) => (message.kind === "mail" ? message.subject : message.body);
const codeIn = (message) => /(?<!\d)\d{6,10}(?!\d)/.exec(message.kind === "mail" ? message.text : message.body)?.[0];

function clockTime(iso) {
  const time = new Date(iso);
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday
    ? time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })
    : time.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

function visible() {
  const wanted = place.filter.value.trim().toLowerCase();
  if (wanted === "") return messages;
  return messages.filter((message) =>
    [message.to, message.subject, message.text, message.body].some((text) => text?.toLowerCase().includes(wanted)),
  );
}

function drawList() {
  const shown = visible();
  const picture = JSON.stringify([chosenId(), shown.map(({ id, is_read }) => [id, is_read])]);
  if (picture === drawn) return;
  drawn = picture;
  const focusedId = document.activeElement?.dataset?.id;
  place.list.replaceChildren(...shown.map(listItem));
  if (focusedId) place.list.querySelector(`[data-id="${CSS.escape(focusedId)}"]`)?.focus();
  const unread = messages.filter((message) => !message.is_read).length;
  place.count.textContent = messages.length === 0 ? "" : `${messages.length}${unread > 0 ? `, ${unread} new` : ""}`;
  document.title = unread > 0 ? `(${unread}) Inbox` : "Inbox";
  place.empty.hidden = shown.length > 0;
  place.empty.textContent =
    messages.length === 0
      ? "Nothing here yet. Mails and text messages of this project appear as they are sent."
      : "No message matches the filter.";
  place.clear.disabled = messages.length === 0;
}

function listItem(message) {
  const isChosen = message.id === chosenId();
  const link = element(
    "a",
    {
      className: `item${message.is_read ? "" : " unread"}`,
      href: `#/${message.id}`,
      ...(isChosen ? { "aria-current": "true" } : {}),
    },
    element(
      "div",
      { className: "top" },
      element("span", { className: "to", textContent: message.kind === "sms" ? `+${message.to}` : message.to }),
      message.kind === "sms" ? element("span", { className: "kind", textContent: "SMS" }) : null,
      element("time", { dateTime: message.received_at, textContent: clockTime(message.received_at) }),
    ),
    element("div", { className: "subject", textContent: headline(message) }),
  );
  link.dataset.id = message.id;
  return element("li", {}, link);
}

async function showMessage() {
  const id = chosenId();
  // On a phone there is room for the list or for a message.
  document.body.classList.toggle("reading", id !== "");
  if (id === "") {
    shownId = null;
    place.message.replaceChildren(
      element("p", { className: "empty", textContent: messages.length === 0 ? "" : "Choose a message." }),
    );
    return;
  }
  if (id === shownId) return;
  shownId = id;
  const response = await fetch(`${api}/${encodeURIComponent(id)}`);
  if (shownId !== id) return;
  if (!response.ok) {
    place.message.replaceChildren(
      backLink(),
      element("p", { className: "empty", textContent: "This message is gone." }),
    );
    return;
  }
  const message = await response.json();
  messages = messages.map((other) => (other.id === id ? { ...other, is_read: true } : other));
  drawList();
  drawMessage(message);
}

const backLink = () => element("a", { className: "back", href: "#", textContent: "All messages" });

function drawMessage(message) {
  const isMail = message.kind === "mail";
  const code = codeIn(message);
  const fact = (name, value) => [element("dt", { textContent: name }), element("dd", { textContent: value })];
  const body = element("div", { className: "body", id: "body", ...(isMail ? { role: "tabpanel" } : {}) });
  const drawBody = () => body.replaceChildren(...(isMail ? [mailBody(message)] : [phone(message)]));
  place.message.replaceChildren(
    backLink(),
    element(
      "div",
      { className: "head" },
      element("h2", { textContent: isMail ? message.subject : `Text message to +${message.to}` }),
      element(
        "dl",
        { className: "facts" },
        ...(isMail
          ? [...fact("From", `${message.from.name} <${message.from.address}>`), ...fact("To", message.to)]
          : []),
        ...(isMail ? [] : fact("Sent by", channels[message.channel] ?? message.channel)),
        ...fact("Time", new Date(message.received_at).toLocaleString()),
      ),
    ),
    element(
      "div",
      { className: "tools" },
      isMail ? tabs(drawBody) : null,
      code === undefined ? null : copyButton(code),
      element("span", { className: "space" }),
      element("button", { type: "button", textContent: "Delete", onclick: () => remove(message.id) }),
    ),
    body,
  );
  drawBody();
}

function tabs(onChange) {
  const names = { mail: "Mail", text: "Text", source: "Source" };
  const list = element("div", { role: "tablist", "aria-label": "View" });
  const choose = (name) => {
    tab = name;
    for (const button of list.children) {
      const isChosen = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(isChosen));
      button.tabIndex = isChosen ? 0 : -1;
    }
    onChange();
  };
  for (const [name, words] of Object.entries(names)) {
    const button = element("button", { type: "button", role: "tab", "aria-controls": "body", textContent: words });
    button.dataset.tab = name;
    button.setAttribute("aria-selected", String(name === tab));
    button.tabIndex = name === tab ? 0 : -1;
    button.addEventListener("click", () => choose(name));
    list.append(button);
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const all = Object.keys(names);
    choose(all[(all.indexOf(tab) + step + all.length) % all.length]);
    list.querySelector(`[data-tab="${tab}"]`).focus();
  });
  return list;
}

function mailBody(message) {
  if (tab === "text") return element("pre", { tabIndex: 0, textContent: message.text });
  if (tab === "source") {
    const headers = [
      `From: ${message.from.name} <${message.from.address}>`,
      `To: ${message.to}`,
      `Subject: ${message.subject}`,
      `Message-ID: ${message.message_id}`,
      ...Object.entries(message.headers).map(([name, value]) => `${name}: ${value}`),
    ];
    return element("pre", { tabIndex: 0, textContent: `${headers.join("\n")}\n\n${message.html}` });
  }
  return element("iframe", {
    title: `Mail: ${message.subject}`,
    // No script, no form, no origin of its own; links open in a new tab that is an ordinary one.
    sandbox: "allow-popups allow-popups-to-escape-sandbox",
    referrerPolicy: "no-referrer",
    src: `/inbox/mails/${message.id}`,
  });
}

/** The conversation as the phone shows it: everything sent to the number, oldest first. */
function phone(message) {
  const thread = messages.filter(({ kind, to }) => kind === "sms" && to === message.to).toReversed();
  const bubbles = thread.flatMap((one) => [
    element("p", { className: `bubble${one.id === message.id ? " chosen" : ""}`, textContent: one.body }),
    element("time", { dateTime: one.received_at, textContent: clockTime(one.received_at) }),
  ]);
  return element("div", { className: "phone" }, ...bubbles);
}

function copyButton(code) {
  const button = element("button", { className: "copy", type: "button", textContent: `Copy code ${code}` });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = `Copy code ${code}`;
    }, 1_200);
  });
  return button;
}

async function remove(id) {
  const shown = visible();
  const at = shown.findIndex((message) => message.id === id);
  const next = shown[at + 1] ?? shown[at - 1];
  await fetch(`${api}/${encodeURIComponent(id)}`, { method: "DELETE" });
  location.hash = next === undefined ? "" : `#/${next.id}`;
  await refresh();
}

function step(by) {
  const shown = visible();
  if (shown.length === 0) return;
  const at = shown.findIndex(({ id }) => id === chosenId());
  const next = shown[at < 0 ? 0 : Math.min(shown.length - 1, Math.max(0, at + by))];
  location.hash = `#/${next.id}`;
  place.list.querySelector(`[data-id="${CSS.escape(next.id)}"]`)?.focus();
}

async function refresh() {
  try {
    const response = await fetch(`${api}?limit=${listLimit}`);
    if (!response.ok) return;
    ({ messages } = await response.json());
  } catch {
    return; // The server restarts: the next look finds it.
  }
  drawList();
  await showMessage();
}

document.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLInputElement || event.metaKey || event.ctrlKey || event.altKey) return;
  const inTabs = event.target instanceof Element && event.target.closest("[role=tablist]") !== null;
  if (event.key === "j" || event.key === "ArrowDown") step(1);
  else if (event.key === "k" || event.key === "ArrowUp") step(-1);
  else if (event.key === "/") place.filter.focus();
  else if ((event.key === "Delete" || event.key === "#") && chosenId() !== "" && !inTabs) void remove(chosenId());
  else return;
  event.preventDefault();
});
place.filter.addEventListener("input", drawList);
place.clear.addEventListener("click", async () => {
  if (!confirm("Delete all messages of the inbox?")) return;
  await fetch(api, { method: "DELETE" });
  location.hash = "";
  await refresh();
});
addEventListener("hashchange", () => {
  drawList();
  void showMessage();
});
setInterval(() => {
  if (!document.hidden) void refresh();
}, pollMs);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
await refresh();
