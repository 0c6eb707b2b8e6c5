// What Gradio's events call.

let hasShown = false, newest = null, isTelling = false;
// One after another, as requests may overtake each other: what the server hears last is what is shown.
const tellShown = async () => {
  if (isTelling) return;
  isTelling = true;
  while (newest) {
    const shown = newest;
    newest = null;
    await send("show", shown).catch(() => {});
  }
  isTelling = false;
};
// A tab is shown, by its preset's name, or null where it is no model's that can run here: then this page wishes
// for none. Gradio shows the first one when the page opens.
const show = (name) => {
  newest = { tab: name, by_itself: !hasShown };
  hasShown = true;
  tellShown();
  return NOTHING;
};

const unload = (name) => {
  send("unload", { tab: name }).catch(() => {});
  return NOTHING;
};

return {
  connect, buildAhead, follow, show, unload, fill,
  stand: (...tabs) => tabs.map(lineOf),
  ask, askExample, askAgain, grown, ended, stop, undo, clear,
  amend, attached, added, addedToCompare, carriedOver, choose, compare, columnEnded, rested, stopComparing, clearColumn,
  stood,
};
