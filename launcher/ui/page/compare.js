// Compare: one question to several models, their answers side by side. To turns.js a model's column is a tab
// of its own, whose name ends with COMPARE; the question box is theirs together.

const columns = () => Object.keys(tabs).filter((name) => modelOf(name) !== name);
const isBusy = (column) => tabOf(column).now !== null;
// What was asked last, whether anybody has answered it, and the models that are still to be asked.
let compared = { question: EMPTY(), isAnswered: true, waiting: [] };
const isComparing = () => compared.waiting.length > 0 || columns().some(isBusy);
const restUnlessBusy = () => isComparing() || news[COMPARE].rested();

// Which columns are seen, by the models' names and whether each is chosen. A column is built when it is first
// chosen, and one at a time, as the browser hears no key press while it builds: the next one is told to Gradio
// in a task of its own. For the outputs: columns.
let seenColumns = [];
const hideUnchosen = hiding();
const chooseNext = () => setTimeout(() => news[COMPARE].chosen());
built(COMPARE).then(chooseNext);
let building = null;
const choose = (names, ...choice) => {
  hideUnchosen(names.filter((_, at) => !choice[at]).map((name) => `column-${name}`));
  seenColumns = names.filter((_, at) => choice[at]).map((name) => name + COMPARE);
  countOn(COMPARE);
  const next = names.find((name, at) => choice[at] && !news[name + COMPARE]);
  if (next === building) return NOTHING;
  building = next;
  if (next) built(next + COMPARE).then(chooseNext);
  return names.map((name) => update(name === next ? { visible: true } : {}));
};

const askColumn = (name) => {
  begun(name + COMPARE, copied(compared.question), [], {});
  return tabOf(name + COMPARE).now.heard;
};
// Models that are awake are asked before the others, lest they are sent to sleep for those and loaded again;
// the others at once, so that the scheduler loads each of them once.
const askColumns = async ({ waiting }) => {
  await Promise.all(waiting.map((name) => built(name + COMPARE)));
  const awake = await ownFetch(address("awake")).then((response) => response.json()).catch(() => []);
  const first = waiting.filter((name) => awake.includes(name));
  const rest = waiting.filter((name) => !awake.includes(name));
  waiting.splice(0, waiting.length, ...rest);
  await Promise.all(first.map(askColumn));
  waiting.splice(0).forEach(askColumn);
  restUnlessBusy();
};
// For the output: box.
const compare = (names, typed, ...choice) => {
  const [question, value] = takenFrom(COMPARE, typed), chosen = names.filter((_, at) => choice[at]);
  if (isComparing() || isReading(COMPARE) || isEmpty(question)) return NOTHING;
  tell(COMPARE, chosen.length ? "" : asHtml(say("none")));
  if (!chosen.length) return NOTHING;
  compared = { question, isAnswered: false, waiting: chosen };
  askColumns(compared);
  return [asking({ value })];
};

// A column's answer has ended, however it did. For the outputs: conversation, cost.
const columnEnded = (column) => {
  const tab = tabOf(column), { now } = tab;
  if (!now?.end) return NOTHING;
  tab.now = null;
  if ("answer" in now.end) {
    tab.turns.push(turnOf(now, tab.turns));
    compared.isAnswered = true;
  } else tell(column, now.end.trouble, now.end.in_line);
  restUnlessBusy();
  return [conversation(column), now.end.cost ?? ""];
};
// A question that nobody has answered goes back to the box.
const rested = (typed) => [resting(compared.isAnswered ? {} : takenBack(COMPARE, compared.question, typed))];

// Who waits is stopped before who speaks, lest it gets the room that becomes free.
const stopColumns = async () => {
  const speaks = (column) => tabOf(column).now.shown;
  await Promise.all(columns().filter((column) => isBusy(column) && !speaks(column)).map(stopNow));
  columns().filter(isBusy).forEach(stopNow);
};
const stopComparing = () => {
  compared.waiting.length = 0;
  stopColumns();
  return NOTHING;
};
const clearColumn = (column) => {
  const tab = tabOf(column);
  tab.now?.calledOff.abort();
  const waits = compared.waiting.indexOf(modelOf(column));
  if (waits >= 0) compared.waiting.splice(waits, 1);
  Object.assign(tab, { turns: [], now: null });
  tell(column, "");
  countOn(column);
  restUnlessBusy();
  return [""];
};
