// Turns: a question, its answer, and what may be clicked meanwhile.
//
// The conversation is here, and nowhere else: the chatbot is shown it anew whenever it changes. What a person
// types or clicks while an answer comes is neither lost nor doubled: Gradio calls us a moment after an Enter or
// a click, so what stood in the box then is kept, and each function that Gradio calls reads the box and writes
// it in one go, so that no key press comes between.

// A tab by its preset's name. `turns` are its answered questions, {question, answer, bubbles}; `now` is the
// question that is being answered; `next` is a text that waits in the box for the answer's end; `kept` says
// which of the kept conversations it is.
const tabs = {};
const tabOf = (name) => (tabs[name] ??= { turns: [], now: null, next: "", kept: null });
let count = 0;

const NOTHING = []; // every output of an event stays as it is
const EMPTY = () => ({ text: "", files: [] });
const update = (values) => ({ __type__: "update", ...values });
const asking = (box = {}) => update({ ...box, submit_btn: false, stop_btn: true });
const resting = (box = {}) => update({ ...box, submit_btn: true, stop_btn: false });
const copied = (typed) => JSON.parse(JSON.stringify({ text: typed?.text ?? "", files: typed?.files ?? [] }));
const isEmpty = (typed) => !typed.text.trim() && !typed.files.length;
const merged = (first, second) => ({
  text: [first.text, second.text].filter(Boolean).join("\n"),
  files: [
    ...first.files,
    ...second.files.filter((file) => !first.files.some((known) => known.path === file.path)),
  ],
});

// ---- the box ----

// What stood in the box: when it was last sent, by Enter or a click, and at the last click on anything.
const sentFrom = {}, clickedAt = {};
const look = (into) => {
  for (const text of document.querySelectorAll('[id^="box-"] textarea')) {
    into[text.closest('[id^="box-"]').id.slice("box-".length)] = text.value;
  }
};
document.addEventListener("click", () => [sentFrom, clickedAt].forEach(look), true);
document.addEventListener("keypress", (event) => event.key === "Enter" && look(sentFrom), true); // as Gradio does

// What was typed into a text; "" where something else happened to it.
const typedInto = (before, after) => {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const behind = before.slice(same), end = after.length - behind.length;
  return end > same && after.endsWith(behind) ? after.slice(same, end) : "";
};
// What a person asks, and what the box holds from then on.
const takenFrom = (name, typed) => {
  const found = copied(typed), later = typedInto(sentFrom[name], found.text);
  return [later ? { ...found, text: sentFrom[name] } : found, { text: later, files: [] }];
};
const takenBack = (name, question, typed) => {
  sentFrom[name] = merged(question, { text: sentFrom[name], files: [] }).text;
  return { value: merged(question, copied(typed)) };
};

const tell = (name, html) => {
  const place = document.getElementById(`trouble-${name}`);
  if (place) place.innerHTML = html;
};

// ---- what the chatbot shows ----

const bubble = (role, content) => ({ role, content, metadata: null, options: null });
const text = (html) => ({ type: "text", text: html });
const picture = (file) => ({
  type: "file",
  alt_text: null,
  file: { ...file, mime_type: file.mime_type?.startsWith("image/") ? file.mime_type : "image/png" },
});
const asked = (question, html) => bubble("user", [...question.files.map(picture), text(html)]);
const conversation = ({ turns, now }) => [
  ...turns.flatMap((turn) => turn.bubbles),
  ...(now?.question_bubble ? [now.question_bubble] : []),
  ...(now?.shown ? [bubble("assistant", [text(now.shown)])] : []),
];

// ---- a turn, from its question to its end ----

const sent = (question) => ({ text: question.text, pictures: question.files.map((file) => file.path) });
const byName = (values) => Object.fromEntries(settings.settingNames.map((name, at) => [name, values[at]]));

const answerNow = async (name, values) => {
  const tab = tabOf(name), now = tab.now;
  const question = {
    tab: name,
    turn: now.number,
    question: sent(now.question),
    history: tab.turns.map((turn) => ({ question: sent(turn.question), answer: turn.answer })),
    settings: byName(values),
  };
  const grow = (updates) => {
    for (const each of updates) {
      if ("question" in each) now.question_bubble = asked(now.question, each.question);
      else now.shown = now.shown.slice(0, each.keep) + each.add;
    }
    news[name].grown();
  };
  now.end = await answerOf(question, grow, now.calledOff.signal);
  if (now.end) news[name].ended();
};

// For the outputs: conversation, box, cost.
const begun = (name, question, values, box) => {
  const tab = tabOf(name);
  tab.now = {
    question, question_bubble: null, shown: "", number: ++count, calledOff: new AbortController(), end: null,
  };
  tab.next = "";
  tell(name, "");
  answerNow(name, values);
  return [conversation(tab), asking(box), ""];
};

// Enter. During an answer the question waits in the box until the answer is complete; one that is changed
// meanwhile waits for another Enter.
const ask = (name, typed, ...values) => {
  const tab = tabOf(name), [question, value] = takenFrom(name, typed);
  if (tab.now) tab.next = question.text;
  if (tab.now || isEmpty(question)) return NOTHING;
  sentFrom[name] = value.text;
  return begun(name, question, values, { value });
};

const askExample = (name, example, ...values) => {
  const tab = tabOf(name);
  if (tab.now || tab.turns.length) return NOTHING;
  return begun(name, copied(example), values);
};

const askAgain = (name, ...values) => {
  const tab = tabOf(name);
  if (tab.now || !tab.turns.length) return NOTHING;
  return begun(name, tab.turns.pop().question, values);
};

const grown = (name) => [conversation(tabOf(name))];

// After every answer, however it ended. A question without one goes back to the box.
const ended = (name, typed, ...values) => {
  const tab = tabOf(name), now = tab.now;
  if (!now?.end) return NOTHING;
  const { question, end } = now;
  tab.now = null;
  if (!("answer" in end)) {
    tell(name, end.trouble);
    return [conversation(tab), resting(takenBack(name, question, typed)), ""];
  }
  const bubbles = [now.question_bubble, bubble("assistant", [text(end.shown)])];
  tab.turns.push({ question, answer: end.answer, bubbles });
  keep(name);
  if (tab.next.trim() && typed.text === tab.next) return begun(name, copied(typed), values, { value: EMPTY() });
  return [conversation(tab), resting(), end.cost];
};

const stop = (name) => {
  const { now } = tabOf(name);
  if (now) send("stop", { tab: name, turn: now.number }).catch(() => now.calledOff.abort());
  return NOTHING;
};

const undo = (name, typed) => {
  const tab = tabOf(name);
  if (tab.now || !tab.turns.length) return NOTHING;
  const { question } = tab.turns.pop();
  tell(name, "");
  keep(name);
  return [conversation(tab), update(takenBack(name, question, typed)), ""];
};

// Gradio has emptied the chatbot already. For the outputs: box, cost. A question that was taken, but was still
// seen in its box, is none of the conversation that a person clears: it stays there.
const clear = (name) => {
  const tab = tabOf(name), now = tab.now;
  now?.calledOff.abort();
  Object.assign(tab, { turns: [], now: null, next: "" });
  if (tab.kept) drop(name, tab.kept);
  tell(name, "");
  const stays = now?.question.text.trim() && clickedAt[name] === now.question.text;
  return [resting(stays ? { value: now.question } : {}), ""];
};
