// Tabs built ahead. Gradio builds what is in a tab when that is first selected, and a person waits for it. So
// once the first tab's question box is there, the others are built, out of sight, while the browser has nothing
// else to do: one at a time, with rests in which a person's key presses are heard.

const REST_MS = 100;
const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, REST_MS)); // Safari has none

const tabIds = () =>
  window.gradio_config.components.filter(({ type }) => type === "tabitem").map(({ id }) => id);

// What a selector finds, once that is on the page: a page may open on a tab that has no box, and Gradio tells of a
// tab before all of its parts are there.
const onPage = (selector) =>
  new Promise((resolve) => {
    const look = () => {
      const found = document.querySelector(selector);
      if (!found) return;
      watching.disconnect();
      resolve(found);
    };
    const watching = new MutationObserver(look);
    watching.observe(document.body, { childList: true, subtree: true });
    look();
  });

// `build` builds one by its number; a tab that is there stays as it is.
const buildAhead = (build) => {
  const waiting = tabIds();
  const next = () => {
    if (!waiting.length) return;
    build(waiting.shift());
    setTimeout(() => whenIdle(next), REST_MS);
  };
  onPage('[id^="box-"] textarea').then(next);
};
