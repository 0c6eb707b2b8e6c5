// Places that the server fills through the status stream: [data-place="NAME"], one within another maybe.

const places = {}; // name -> HTML, or for ABSENT the names of the models that are not here
const shownIn = new WeakMap();
const ABSENT = "@absent";

const fill = (root = document) => {
  for (const place of root.querySelectorAll("[data-place]")) {
    const html = places[place.dataset.place];
    if (html === undefined || shownIn.get(place) === html) continue;
    const hadFocus = place.contains(document.activeElement);
    shownIn.set(place, html);
    place.innerHTML = html;
    fill(place);
    if (hadFocus) place.querySelector("button")?.focus();
  }
};

// What belongs to a model that is not here is hidden, wherever it stands and whenever it is drawn; before
// anything is known, all that could be.
const hiding = document.head.appendChild(document.createElement("style"));
hiding.textContent = ".until-here { display: none !important; }";
const hide = (names) => {
  const parts = names.flatMap((name) => [`here-${name}`, `choice-${name}`, `column-${name}`]);
  const selectors = parts.map((id) => `[id="${id}"]`);
  hiding.textContent = selectors.length ? `${selectors.join(", ")} { display: none !important; }` : "";
};

// News from the server; what is no place's is left.
const take = (changed) => {
  for (const name in changed) if (name.startsWith("@")) places[name] = changed[name];
  if (ABSENT in changed) hide(changed[ABSENT].split(" ").filter(Boolean));
  fill();
};
