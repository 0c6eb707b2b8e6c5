// Files: by dialog, drop or paste they go one way, whatever they are called.

// A file's name, in at most 80 characters: its beginning and its end, which says of what kind it is.
const shortened = (name) => (name.length > 80 ? `${name.slice(0, 70)}…${name.slice(-9)}` : name);
const limitOf = (file) => (isDocument(file) ? settings.documentBytes : settings.limitBytes);
const isTooLarge = (file) => file.size > limitOf(file);
const tooLarge = (file) => {
  const values = {
    name: shortened(file.name),
    size: (file.size / 1e6).toFixed(1),
    limit: limitOf(file) / 1e6,
  };
  const told = isDocument(file) ? settings.documentTooLarge : settings.tooLarge;
  return asHtml(told[language].replace(/\{(\w+)\}/g, (_, key) => values[key]));
};

const tellAt = (box, html) => tell(nameOf(box), html);
const put = (input, files) => {
  const carrier = new DataTransfer();
  files.forEach((file) => carrier.items.add(file));
  input.files = carrier.files;
};

const onChosen = (event) => {
  const box = boxOf(event.target), files = [...(event.target.files ?? [])];
  if (!box || !files.length) return;
  const told = files.filter(isTooLarge).map(tooLarge).join("<br>");
  tellAt(box, told);
  const taken = files.filter((file) => !isTooLarge(file));
  addDocuments(nameOf(box), taken.filter(isDocument), told);
  const pictures = taken.filter((file) => !isDocument(file));
  if (pictures.length < files.length) put(event.target, pictures);
  if (!pictures.length) event.stopImmediatePropagation();
};

const onBrought = (event, transfer) => {
  const box = boxOf(event.target), input = box?.querySelector('input[type="file"]');
  if (!input || !transfer?.files.length || transfer.types.includes("text/html")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  const framed = box.querySelector(".full-container"); // Gradio frames it from dragenter to its own drop
  framed?.dispatchEvent(new DragEvent("dragleave", { clientX: -1, clientY: -1 }));
  put(input, [...transfer.files]);
  input.dispatchEvent(new Event("change", { bubbles: true }));
};

document.addEventListener("change", onChosen, true);
document.addEventListener("paste", (event) => onBrought(event, event.clipboardData), true);
document.addEventListener("drop", (event) => onBrought(event, event.dataTransfer), true);

// An upload that was refused, or came to no server: that is told beside the box, and Gradio is told that nothing
// came.
const isUpload = (resource) => /\/gradio_api\/upload(\?|$)/.test(resource?.url ?? resource);
const ownFetch = window.fetch;
window.fetch = async (resource, options) => {
  const box = [...document.querySelectorAll('[id^="box-"]')].find((each) => each.offsetParent);
  if (!isUpload(resource) || !box) return ownFetch(resource, options);
  const response = await ownFetch(resource, options).catch(() => null);
  if (response?.ok) return response;
  tellAt(box, asHtml(response ? await response.text() : say("unsent")));
  return Response.json([]);
};
