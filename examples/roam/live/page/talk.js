const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
/** Somebody who types says so this often; who has not said so for longer has stopped. In ms. */
const [typingEveryMs, typingForMs] = [1_500, 3_000];

/** The conversation with the other person: messages, whether they are here, whether they type. */
export function showTalk(pane, client, me, other) {
  const [list, here, typing, form] = [".messages", ".here", ".typing", ".composer"].map((one) =>
    pane.querySelector(one),
  );
  let id = null;
  let typingTimer;
  let toldTypingAt = 0;

  const talk = {
    /** Set by whoever joins the channel. */
    tellTyping() {},
    /** @returns whether it is another one than before */
    open(conversationId) {
      if (conversationId === id) return false;
      id = conversationId;
      list.replaceChildren();
      return true;
    },
    async read() {
      const { data } = await client
        .from("messages")
        .select("*")
        .eq("conversation_id", id)
        .order("id", { ascending: false })
        .limit(50)
        .throwOnError();
      for (const message of data.reverse()) talk.said(message, { isNews: false });
    },
    said(message, { isNews = true } = {}) {
      if (message.conversation_id !== id || list.querySelector(`[data-id="${message.id}"]`) !== null) return;
      const item = draw(message);
      // Read and told at the same time, so not always in order.
      const next = [...list.children].find(({ dataset }) => Number(dataset.id) > message.id);
      list.insertBefore(item, next ?? null);
      list.scrollTop = list.scrollHeight;
      if (message.sender_id === other.id) showTyping(false);
      if (isNews && message.sender_id !== me.id) pane.dispatchEvent(new Event("news"));
    },
    takenBack(message) {
      list.querySelector(`[data-id="${message.id}"]`)?.remove();
    },
    here(ids) {
      const isHere = ids.includes(other.id);
      here.textContent = isHere ? "is here" : "is not here";
      here.classList.toggle("on", isHere);
      if (!isHere) showTyping(false);
    },
    types(memberId) {
      if (memberId !== other.id) return;
      showTyping(true);
      clearTimeout(typingTimer);
      typingTimer = setTimeout(() => showTyping(false), typingForMs);
    },
    /** The connection is gone: nothing is known of the other. */
    left() {
      here.textContent = "";
      here.classList.remove("on");
      showTyping(false);
    },
  };

  function draw({ id: messageId, sender_id, body, created_at }) {
    const item = document.createElement("li");
    item.dataset.id = messageId;
    item.className = sender_id === me.id ? "mine" : "theirs";
    const said = document.createElement("p");
    said.textContent = body;
    const at = document.createElement("time");
    at.dateTime = created_at;
    at.textContent = time.format(new Date(created_at));
    item.append(said, at);
    if (sender_id === me.id) {
      const back = Object.assign(document.createElement("button"), {
        type: "button",
        className: "back",
        textContent: "Take back",
      });
      back.addEventListener("click", () => client.from("messages").delete().eq("id", messageId).then());
      at.before(back);
    }
    return item;
  }

  function showTyping(isTyping) {
    typing.textContent = isTyping ? `${other.name} is typing` : "";
    typing.classList.toggle("on", isTyping);
  }

  form.addEventListener("input", () => {
    const now = Date.now();
    if (form.body.value === "" || now - toldTypingAt < typingEveryMs) return;
    toldTypingAt = now;
    talk.tellTyping();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const body = form.body.value.trim();
    if (body === "" || id === null) return;
    form.body.value = "";
    toldTypingAt = 0;
    const { data, error } = await client.from("messages").insert({ conversation_id: id, body }).select().single();
    if (error) form.body.value = body;
    else talk.said(data);
  });
  return talk;
}
