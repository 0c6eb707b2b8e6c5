// The shelf below a tab: the conversations with its model that this browser keeps, to go on with, rename,
// export, import and delete.

const say = (key, values = {}) =>
  settings.texts[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

// One thing after another: what is kept is what was there last. What a piece of work returns is said below
// the shelf until the next one.
const remarks = {};
let last = Promise.resolve();
const inOrder = (name, work) => {
  last = last.then(work).then(
    (remark) => (remarks[name] = remark ?? ""),
    (error) => {
      console.info(`launcher: ${error}`);
      remarks[name] = say("failed", { reason: error.message || error.name });
    },
  );
  last.then(() => windows.postMessage(name));
  return (last = last.then(() => draw(name)));
};
// Other windows of this browser, which show the same shelf.
const windows = new BroadcastChannel("launcher");
windows.onmessage = ({ data: name }) => draw(name);

// ---- from the tab to the shelf ----

// Pictures' bytes by their path, as the server deletes them with the page.
const bytes = new Map();
const bytesAt = async ({ path, url }) => {
  if (!bytes.has(path)) bytes.set(path, await (await ownFetch(url)).blob());
  return bytes.get(path);
};
const asPicture = ({ path, orig_name, mime_type, size }) => {
  const blob = bytes.get(path) ?? null, told = documentOf.get(path)?.told ?? null;
  const type = blob?.type ?? mime_type ?? "";
  return { name: orig_name ?? "", type, size: blob?.size ?? size ?? 0, blob, document: told };
};
const asTurn = ({ question, answer }) => ({
  question: question.text,
  pictures: question.files.map(asPicture),
  answer,
});

// Keeps what a tab's conversation is now; none where it has no turn left. What another window has made of it
// meanwhile stays there: this one's is another conversation from then on.
const keep = (name) => {
  const tab = tabOf(name), now = [...tab.turns], kept = (tab.kept ??= { id: drawn(), changed: null });
  return inOrder(name, async () => {
    let known = await keptOne(kept.id);
    if (known && known.changed !== kept.changed) {
      kept.id = drawn();
      known = null;
    }
    if (!now.length) return void (await forget(kept.id));
    const { id } = kept, changed = (kept.changed = Date.now());
    const written = () => {
      const turns = now.map(asTurn);
      return { id, tab: name, title: known?.title ?? titleOf(turns), changed, turns };
    };
    const missing = now.flatMap(({ question }) => question.files).filter(({ path }) => !bytes.has(path));
    // The words first: a reload while pictures come over a slow network loses none of them.
    if (missing.length) await store(written());
    await Promise.all(missing.map(bytesAt));
    await write(written());
  });
};
const drop = (name, id) => {
  if (tabOf(name).kept?.id === id) tabOf(name).kept = null;
  return inOrder(name, async () => void (await forget(id)));
};

// ---- from the shelf to the tab ----

// A file at a path of the server, as Gradio writes it down.
const fileAt = (path, { name, type, size }) => {
  const url = `${window.gradio_config.root}/gradio_api/file=${path}`;
  return { path, url, orig_name: name, mime_type: type, size, meta: { _type: "gradio.FileData" } };
};

const MOST_AT_ONCE = 20; // files in one upload, as the server takes them
const uploaded = async (pictures) => {
  const files = [];
  for (let from = 0; from < pictures.length; from += MOST_AT_ONCE) {
    const form = new FormData(), some = pictures.slice(from, from + MOST_AT_ONCE);
    for (const { name, blob } of some) form.append("files", blob, name || "picture");
    const root = window.gradio_config.root;
    const response = await ownFetch(`${root}/gradio_api/upload`, { method: "POST", body: form });
    if (!response.ok) throw new Error(await response.text());
    const paths = await response.json();
    some.forEach((picture, at) => {
      bytes.set(paths[at], picture.blob);
      files.push(fileAt(paths[at], picture));
    });
  }
  return files;
};

// What is kept as a tab has it: its pictures uploaded again, its texts made HTML by the server.
const revived = async ({ turns }) => {
  const there = picturesOf({ turns }).filter(({ blob }) => blob);
  const files = await uploaded(there);
  const fileOf = new Map(there.map((picture, at) => [picture, files[at]]));
  there.forEach(({ document: told }, at) => told && documentOf.set(files[at].path, { told, tokens_each: null }));
  const texts = turns.map(({ question, answer }) => ({ question, answer }));
  const response = await send("shown", { turns: texts });
  if (!response.ok) throw new Error(await response.text());
  const shown = await response.json();
  return turns.reduce((before, turn, at) => {
    const question = {
      text: turn.question,
      files: turn.pictures.map((picture) => fileOf.get(picture)).filter(Boolean),
    };
    const questions = [...before.map((each) => each.question), question];
    const answer = answered(shown[at].answer, shown[at].boxes, questions);
    const bubbles = [asked(question, shown[at].question, before), answer];
    return [...before, { question, answer: turn.answer, bubbles }];
  }, []);
};

const open = (name, id, isWanted = () => true) =>
  inOrder(name, async () => {
    const conversation = await keptOne(id), tab = tabOf(name);
    if (!conversation || !isWanted()) return;
    if (tab.now) return say("busy"); // before its pictures go up for nothing
    const turns = await revived(conversation);
    if (!isWanted()) return;
    if (tab.now) return say("busy"); // a question was asked meanwhile: its answer belongs to what is shown now
    Object.assign(tab, { turns, kept: { id, changed: conversation.changed }, next: "" });
    tell(name, "");
    news[name].grown();
    const gone = picturesOf(conversation).filter(({ blob }) => !blob).length;
    return gone ? say("gone", { count: gone }) : "";
  });
const begin = (name) => {
  const tab = tabOf(name);
  remarks[name] = tab.now ? say("busy") : "";
  if (!tab.now) {
    Object.assign(tab, { turns: [], kept: null, next: "" });
    tell(name, "");
    news[name].grown();
  }
  draw(name);
};

const importFrom = (name, file) =>
  inOrder(name, async () => {
    const found = file.size <= MOST_IMPORTED_BYTES ? fromJson(await file.text()) : null;
    if (!found) return say("foreign", { name: shortened(file.name) });
    await write({ ...found, id: drawn(), tab: name, changed: Date.now() });
  });
const rename = (name, id, title) =>
  inOrder(name, async () => {
    const known = await keptOne(id);
    if (known && title.trim()) await store({ ...known, title: titleOf(known.turns, title) });
  });
const exportAs = {
  JSON: async (each) => save(`${fileName(each)}.json`, new Blob([await asJson(each)])),
  Markdown: async (each) => save(`${fileName(each)}.zip`, await zipped(asMarkdown(each))),
};

// ---- how it looks ----

const element = (tag, values = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), values);
  made.append(...children);
  return made;
};
const button = (label, onclick, className = "") =>
  element("button", { type: "button", textContent: label, onclick, className });

const INPUT_METHOD = 229; // UI Events, 7.3.1: the number of any key that an input method takes
// By tab: the title that is being written, {id, box}.
const writing = {};
const renaming = async (name, { id, title }) => {
  if (writing[name]?.id !== id) {
    const box = element("input", { value: title, ariaLabel: say("rename"), maxLength: TITLE_LENGTH });
    box.onkeydown = ({ key, keyCode, isComposing }) => {
      // An Enter that ends a composition, an Escape that gives it up. Safari tells of the end before it tells
      // of the key, which by its number is the input method's still.
      if (isComposing || keyCode === INPUT_METHOD) return;
      if (key !== "Escape" && key !== "Enter") return;
      delete writing[name];
      if (key === "Escape") draw(name);
      else rename(name, id, box.value);
    };
    writing[name] = { id, box };
    await draw(name);
  }
  writing[name]?.box.focus();
  writing[name]?.box.select();
};
// Asks once more: nothing brings a conversation back.
const deleting = (name, conversation) => {
  const made = button(say("delete"), () => {
    if (made.textContent === say("sure")) drop(name, conversation.id);
    made.textContent = say("sure");
  });
  made.onblur = () => (made.textContent = say("delete"));
  return made;
};

const exporting = (name, conversation) => {
  const buttons = Object.keys(exportAs).map((format) => {
    const made = button(format, () => inOrder(name, () => exportAs[format](conversation)));
    return Object.assign(made, { title: say("export", { format }), ariaLabel: say("export", { format }) });
  });
  return element("span", { className: "exports" }, say("exports"), ...buttons);
};

const lineFor = (name, conversation) => {
  const title = button(conversation.title, () => open(name, conversation.id), "title");
  if (tabOf(name).kept?.id === conversation.id) title.ariaCurrent = "true";
  const shown = writing[name]?.id === conversation.id ? writing[name].box : title;
  const change = button(say("rename"), () => renaming(name, conversation));
  const when = element("time", { textContent: new Date(conversation.changed).toLocaleString() });
  return element("li", {}, shown, when, change, exporting(name, conversation), deleting(name, conversation));
};

const shelfOf = (name, mine, isOpen) => {
  const file = element("input", { type: "file", accept: ".json", hidden: true });
  file.onchange = () => importFrom(name, file.files[0]);
  const anew = button(say("new"), () => begin(name)), fetched = button(say("import"), () => file.click());
  return element(
    "details",
    { open: isOpen },
    element("summary", { textContent: say("heading", { count: mine.length }) }),
    element("p", {}, anew, fetched, file),
    element("ul", {}, ...mine.map((each) => lineFor(name, each))),
    element("p", { textContent: say("note"), className: "facts" }),
  );
};
// What is drawn anew takes the keyboard's focus with it: it goes to what stands in the same place then.
const keepingFocus = (place, drawAnew) => {
  const parts = () => [...place.querySelectorAll("summary, button, li > input")];
  const at = parts().indexOf(document.activeElement);
  drawAnew();
  const now = parts();
  if (at >= 0) now[Math.min(at, now.length - 1)].focus({ preventScroll: true });
};
// Draws the shelf anew, but not below a person who is writing a title: that ends with a drawing of its own.
const draw = async (name) => {
  const place = document.getElementById(`shelf-${name}`);
  if (!place) return;
  const remark = element("div", { role: "alert", textContent: remarks[name] ?? "" });
  try {
    const mine = (await keptAll()).filter(({ tab }) => tab === name);
    if (writing[name] && writing[name].box === document.activeElement) return;
    // Asked for at the last moment: a person may open it while the conversations are read.
    const isOpen = place.querySelector("details")?.open ?? false;
    keepingFocus(place, () => place.replaceChildren(shelfOf(name, mine, isOpen), remark));
  } catch {
    place.replaceChildren(remark); // what failed is said with what could not be kept
  }
};
