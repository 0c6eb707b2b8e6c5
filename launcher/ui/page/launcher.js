// What Gradio's events call.

let hasShown = false;
// A tab is shown, by its preset's name, or null where it is no model's that can run here: then this page wishes
// for none. Gradio shows the first one when the page opens.
const show = (name) => {
  send("show", { tab: name, by_itself: !hasShown }).catch(() => {});
  hasShown = true;
  return NOTHING;
};

const unload = (name) => {
  send("unload", { tab: name }).catch(() => {});
  return NOTHING;
};

return {
  connect, buildAhead, follow, show, unload, fill,
  stand: (...names) => names.map(lineOf),
  ask, askExample, askAgain, grown, ended, stop, undo, clear,
  amend, attached, added, addedToCompare, carriedOver, choose, compare, columnEnded, rested, stopComparing, clearColumn,
  stood,
};
