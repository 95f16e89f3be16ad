import { project } from "/project.js";
import { openPane } from "./pane.js";
import { guest, host } from "./people.js";

const tabs = document.querySelector("nav");
const main = document.querySelector("main");

/** On a phone one pane fills the screen; the tabs say what happens in the other. */
function addTab(pane, { name }) {
  const tab = document.createElement("a");
  tab.href = `#${pane.id}`;
  tab.append(name, Object.assign(document.createElement("span"), { className: "news", hidden: true }));
  tabs.append(tab);
  new IntersectionObserver(
    ([{ isIntersecting }]) => {
      tab.ariaCurrent = isIntersecting ? "true" : null;
      if (isIntersecting) tab.lastChild.hidden = true;
    },
    { root: main, threshold: 0.6 },
  ).observe(pane);
  tab.addEventListener("click", (event) => {
    event.preventDefault();
    pane.scrollIntoView({ behavior: "smooth", inline: "start", block: "nearest" });
  });
  pane.addEventListener("news", () => {
    tab.lastChild.hidden = tab.hasAttribute("aria-current");
  });
}

for (const person of [guest, host]) {
  const pane = document.querySelector("#pane").content.firstElementChild.cloneNode(true);
  pane.id = person.username;
  main.append(pane);
  addTab(pane, person);
  openPane(pane, project, person, person === guest ? host : guest).catch((error) => {
    const notice = pane.querySelector(".notice");
    notice.textContent = `${error.message} Is the server there? Load the page again when it is.`;
    notice.hidden = false;
  });
}
