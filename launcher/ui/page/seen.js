// A click on a picture of a question shows it large, as the model sees it: its tiles, their number and tokens
// (launcher/ui/seen_pictures.py).

let dialog = null;
const dialogParts = () => {
  if (!dialog) {
    const words = element("p", { role: "status" }), shown = element("img", { alt: "" });
    const close = element("button", { type: "button", textContent: say("close"), onclick: () => dialog.close() });
    dialog = element("dialog", { className: "seen" }, words, shown, close);
    dialog.onclick = ({ target }) => target === dialog && dialog.close(); // beside what is in it
    document.querySelector(".gradio-container").append(dialog);
  }
  const [words, shown] = dialog.children;
  return { words, shown };
};

const tabAt = (place) => {
  const column = place.closest('[id^="column-"]');
  if (column) return column.id.slice("column-".length);
  return nameOf(place.closest("[role=tabpanel]").querySelector('[id^="box-"]'));
};

const see = async ({ target }) => {
  const button = target.closest?.("button.picture");
  if (!button) return;
  const path = button.value, { words, shown } = dialogParts();
  words.textContent = say("looking");
  shown.src = button.querySelector("img").src;
  shown.alt = button.title;
  dialog.showModal();
  const asked = { tab: tabAt(button), path, one_tile: documentOf.has(path) };
  const response = await send("seen", asked).catch(() => null);
  if (!response?.ok) {
    words.textContent = response ? await response.text() : settings.lost[language];
    return;
  }
  const { picture, told } = await response.json();
  words.textContent = told;
  if (picture) shown.src = picture;
};
document.addEventListener("click", see);
