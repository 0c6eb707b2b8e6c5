// A question's pictures, side by side above its text. Where there are several, each has its number in the
// conversation, as the model is told it (launcher/families/common/prompts.py); so have the box's.

const picturesIn = (turns) => turns.reduce((sum, { question }) => sum + question.files.length, 0);

const pictureOf = ({ path, url, orig_name }, number) => {
  const name = asAttribute(orig_name ?? ""), label = number ? `<span>${number}</span>` : "";
  const title = asAttribute(say("see", { name: orig_name ?? "" }));
  const image = `<img src="${asAttribute(url)}" alt="${name}">`;
  return `<button type="button" class="picture" value="${asAttribute(path)}" title="${title}">${image}${label}</button>`;
};
// `before` is how many pictures the conversation has before these.
const stripOf = (files, before) => {
  const numbered = files.length > 1;
  const pictures = files.map((file, at) => pictureOf(file, numbered && before + at + 1));
  return pictures.length ? `<div class="pictures">${pictures.join("")}</div>` : "";
};

// The picture with what the answer points at, where one picture alone can be meant: the only one of the last
// question that has any. `boxes` is the server's HTML (launcher/ui/grounding.py).
const pointedAt = (boxes, questions) => {
  const files = boxes ? (questions.findLast(({ files }) => files.length)?.files ?? []) : [];
  if (files.length !== 1) return "";
  const image = `<img src="${asAttribute(files[0].url)}" alt="${asAttribute(files[0].orig_name ?? "")}">`;
  return `<div class="pointed"><div>${image}${boxes}</div></div>\n\n`;
};

// The box's thumbnails count on from the conversation's pictures (launcher/ui/theme.py), whichever changes. The
// columns of the Compare tab share a box: it counts on from the one that is seen and has the most.
const picturesOfTab = (name) => {
  const { turns, now } = tabOf(name);
  return picturesIn(now ? [...turns, now] : turns);
};
const countOn = (name) => {
  const isCompare = name.endsWith(COMPARE);
  const before = isCompare ? Math.max(0, ...seenColumns.map(picturesOfTab)) : picturesOfTab(name);
  document.getElementById(`box-${isCompare ? COMPARE : name}`)?.style.setProperty("--pictures-before", before);
};
// The box has changed.
const attached = (name, typed) => {
  note(name, typed.files);
  countOn(name);
  return NOTHING;
};
