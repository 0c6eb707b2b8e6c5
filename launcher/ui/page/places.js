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
    if (hadFocus) nextOf(place)?.focus();
  }
};
// Where the keyboard goes on when what it was at is gone: to the place's first button, or else, as when a model
// has come, to the tab's box.
const nextOf = (place) =>
  place.querySelector("button") ??
  place.closest("[role=tabpanel]")?.querySelector('[id^="box-"] textarea');

// A style of ours that hides elements by their ids, wherever they stand and whenever they are drawn.
const hiding = (first = "") => {
  const style = document.head.appendChild(document.createElement("style"));
  const hide = (selectors) =>
    (style.textContent = selectors.length ? `${selectors.join(", ")} { display: none !important; }` : "");
  hide(first ? [first] : []);
  return (ids) => hide(ids.map((id) => `[id="${id}"]`));
};

// What belongs to a model that is not here; before anything is known, all that could be.
const hideAbsent = hiding(".until-here");
const partsOf = (model) => [`here-${model}`, `choice-${model}`, `column-${model}`];
// What the Compare tab says where fewer than two models are here; before anything is known, nothing.
const hideFew = hiding('[id="few"]');
const areAbsent = (models) => {
  hideAbsent(models.flatMap(partsOf));
  hideFew(comparable().filter((model) => !models.includes(model)).length < 2 ? [] : ["few"]);
};

// News from the server; what is no place's is left.
const take = (changed) => {
  for (const name in changed) if (name.startsWith("@")) places[name] = changed[name];
  if (ABSENT in changed) areAbsent(changed[ABSENT].split(" ").filter(Boolean));
  fill();
};
