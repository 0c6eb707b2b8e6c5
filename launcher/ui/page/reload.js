// When this window shows the page again, after a reload or by the browser's Back, each tab has its kept
// conversation again, and its box what stood there and the question that was being answered. Only texts of the
// box, as the server deletes a page's pictures with it. All this lies in the window's own storage.

const STOOD = "launcher-box-", KEPT = "launcher-kept-"; // and a tab's name

const underWay = (name) => {
  if (name === COMPARE) return isComparing() ? compared.question.text : "";
  return tabOf(name).now?.question.text ?? "";
};
const remember = (box) => {
  const name = nameOf(box), typed = box.querySelector("textarea")?.value ?? "";
  const noteDown = (key, text) =>
    text.trim() ? sessionStorage.setItem(key + name, text) : sessionStorage.removeItem(key + name);
  noteDown(STOOD, [underWay(name), typed].filter((text) => text.trim()).join("\n"));
  noteDown(KEPT, tabOf(name).kept?.id ?? "");
};
const takenOut = (key) => {
  const text = sessionStorage.getItem(key) ?? "";
  sessionStorage.removeItem(key);
  return text;
};
// Some browsers have no such storage here, and none has room for every text.
const unlessRefused = (work) => {
  try {
    work();
  } catch (error) {
    console.info(`launcher: ${error}`);
  }
};
window.addEventListener("pagehide", () =>
  unlessRefused(() => document.querySelectorAll('[id^="box-"]').forEach(remember)),
);

// For the output: box.
const stood = (name, typed) => {
  const text = takenOut(STOOD + name);
  return text ? [update(takenBack(name, { text, files: [] }, typed))] : NOTHING;
};
const recalls = {
  [STOOD]: (name) => news[name].stood(),
  [KEPT]: (name) => open(name, takenOut(KEPT + name), () => !tabOf(name).turns.length && !tabOf(name).now),
};
const recall = (stored) => {
  const key = Object.keys(recalls).find((each) => stored.startsWith(each));
  if (!key) return;
  const name = stored.slice(key.length);
  built(name).then(() => recalls[key](name));
};
unlessRefused(() => Object.keys(sessionStorage).forEach(recall));
