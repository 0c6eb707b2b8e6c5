// PDFs and videos: their pages and frames are pictures, which the server makes when one is added to a box
// (launcher/documents). The model is shown each as one tile; how many there are, and their tokens, stands below
// the conversation as long as they are in the box.

const isDocument = ({ name, type }) =>
  type === "application/pdf" || type.startsWith("video/") || /\.(pdf|mp4|m4v|mov|webm|mkv)$/i.test(name);

// Path of a picture of a document -> what is told of that, {told, tokens_each}.
const documentOf = new Map();
const oneTile = (files) => files.map(({ path }) => path).filter((path) => documentOf.has(path));

// By tab: names of files that are being read; pictures that have come and are not in the box yet.
const reading = {}, arrived = {};
const isReading = (name) => reading[name]?.length > 0;

const note = (name, files = []) => {
  const place = document.getElementById(`note-${name}`);
  if (!place) return;
  const counts = new Map();
  for (const path of oneTile(files)) {
    const each = documentOf.get(path);
    counts.set(each, (counts.get(each) ?? 0) + 1);
  }
  const tokens = (sum) => say(sum === 1 ? "token" : "tokens", { count: sum.toLocaleString(language) });
  const lines = [...counts].map(([{ told, tokens_each }, count]) =>
    tokens_each ? say("counted", { told, tokens: tokens(count * tokens_each) }) : told,
  );
  const waiting = (reading[name] ?? []).map((file) => say("reading", { name: file }));
  place.textContent = [...lines, ...waiting].join("\n");
};

const addDocument = async (name, file) => {
  const { type, size } = file;
  const [{ path }] = await uploaded([{ name: shortened(file.name), type, size, blob: file }]);
  const tab = name === COMPARE ? null : name;
  const response = await send("pages", { tab, path });
  if (!response.ok) throw new Error(await response.text());
  const { pictures, told, tokens_each } = await response.json(), about = { told, tokens_each };
  return pictures.map((each) => {
    documentOf.set(each, about);
    return fileAt(each, { name: each.split("/").at(-1), type: "image/png" });
  });
};

// One after another, as the server reads them. A question that is sent meanwhile waits for them. What fails is
// said below what is `told` already of the files that were chosen with them.
const addDocuments = async (name, files, told) => {
  const failures = told ? [told] : [];
  (reading[name] ??= []).push(...files.map((file) => shortened(file.name)));
  for (const file of files) {
    note(name, arrived[name]);
    try {
      (arrived[name] ??= []).push(...(await addDocument(name, file)));
    } catch (error) {
      tabOf(name).next = "";
      failures.push(asHtml(error.message));
      tell(name, failures.join("<br>"));
    }
    reading[name].shift();
    news[name].added();
  }
};

// For the outputs: conversation, box, cost.
const added = (name, typed, ...values) => {
  const tab = tabOf(name), question = withArrived(name, typed);
  if (!tab.now && !isReading(name) && tab.next.trim() && typed.text === tab.next) {
    return begun(name, question, values, { value: EMPTY() });
  }
  return [update({}), update({ value: question }), update({})];
};
const withArrived = (name, typed) => {
  const files = arrived[name] ?? [];
  arrived[name] = [];
  const question = merged(copied(typed), { text: "", files });
  attached(name, question);
  return question;
};
// For the output: box of the Compare tab.
const addedToCompare = (typed) => [update({ value: withArrived(COMPARE, typed) })];
