// A question's pictures, side by side above its text. Where there are several, each has its number in the
// conversation, as the model is told it (launcher/families/common/prompts.py); so have the box's.

const picturesIn = (turns) => turns.reduce((sum, { question }) => sum + question.files.length, 0);

const pictureOf = ({ url, orig_name }, number) => {
  const name = asAttribute(orig_name ?? ""), label = number ? `<span>${number}</span>` : "";
  return `<span class="picture"><img src="${asAttribute(url)}" alt="${name}" title="${name}">${label}</span>`;
};
// `before` is how many pictures the conversation has before these.
const stripOf = (files, before) => {
  const numbered = files.length > 1;
  const pictures = files.map((file, at) => pictureOf(file, numbered && before + at + 1));
  return pictures.length ? `<div class="pictures">${pictures.join("")}</div>` : "";
};

// The box has changed: its thumbnails count on from the conversation's pictures (launcher/ui/theme.py).
const attached = (name) => {
  document.getElementById(`box-${name}`)?.style.setProperty("--pictures-before", picturesIn(tabOf(name).turns));
  return NOTHING;
};
