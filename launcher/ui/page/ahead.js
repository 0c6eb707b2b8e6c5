// Tabs built ahead. Gradio builds what is in a tab when that is first selected, and a person waits for it. So
// once the first tab's question box is there, the others are built, out of sight, while the browser has nothing
// else to do: one at a time, with rests in which a person's key presses are heard.

const REST_MS = 100;
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, REST_MS)); // Safari has none

const tabIds = () =>
  window.gradio_config.components.filter(({ type }) => type === "tabitem").map(({ id }) => id);
const hasBox = () => document.querySelector('[id^="box-"] textarea') !== null;

// `build` builds one by its number; a tab that is there stays as it is.
const buildAhead = (build) => {
  const waiting = tabIds();
  const next = () => {
    if (hasBox()) build(waiting.shift());
    if (waiting.length) setTimeout(() => whenIdle(next), REST_MS);
  };
  next();
};
