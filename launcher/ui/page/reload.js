// What stands in a box when its page goes, and the question that is being answered: there again when this window
// shows the page again, after a reload or by the browser's Back. Texts alone, in the window's own storage: the
// server deletes a page's pictures with it.

const STOOD = "launcher-box-";

const underWay = (name) => {
  if (name === COMPARE) return isComparing() ? compared.question.text : "";
  return tabOf(name).now?.question.text ?? "";
};
const remember = (box) => {
  const key = STOOD + nameOf(box), typed = box.querySelector("textarea")?.value ?? "";
  const { text } = merged({ text: underWay(nameOf(box)), files: [] }, { text: typed, files: [] });
  if (text.trim()) sessionStorage.setItem(key, text);
  else sessionStorage.removeItem(key);
};
const rememberAll = () => {
  try {
    document.querySelectorAll('[id^="box-"]').forEach(remember);
  } catch (error) {
    console.info(`launcher: ${error}`); // no storage here, or too long a text
  }
};
window.addEventListener("pagehide", rememberAll);

// For the output: box.
const stood = (name, typed) => {
  const text = sessionStorage.getItem(STOOD + name);
  sessionStorage.removeItem(STOOD + name);
  return text ? [update(takenBack(name, { text, files: [] }, typed))] : NOTHING;
};
const recall = async (key) => {
  const name = key.slice(STOOD.length);
  await built(name);
  news[name].stood();
};
try {
  Object.keys(sessionStorage).filter((key) => key.startsWith(STOOD)).forEach(recall);
} catch (error) {
  console.info(`launcher: ${error}`);
}
