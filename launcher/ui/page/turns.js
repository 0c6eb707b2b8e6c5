// Turns: a question, its answer, and what may be clicked meanwhile.
//
// The conversation is here, and nowhere else: the chatbot is shown it anew whenever it changes. What a person
// types or clicks while an answer comes is neither lost nor doubled: Gradio calls us a moment after an Enter or
// a click, so what stood in the box then is kept, and each function that Gradio calls reads the box and writes
// it in one go, so that no key press comes between.

// A tab by its preset's name. `turns` are its answered questions, {question, answer, bubbles}; `now` is the
// question that is being answered; `next` is a text that waits in the box for the answer's end; `kept` says
// which of the kept conversations it is, {id, changed}, as this window knows it.
const tabs = {};
const tabOf = (name) => (tabs[name] ??= { turns: [], now: null, next: "", kept: null });
let count = 0;

const COMPARE = settings.compare; // what a column of the Compare tab has behind its model's name
const modelOf = (name) => (name.endsWith(COMPARE) ? name.slice(0, -COMPARE.length) : name);

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

const boxOf = (element) => element.closest?.('[id^="box-"]');
const nameOf = (box) => box.id.slice("box-".length);
// What is in a text beside another one that it was before: what was typed into that, or all where it was
// replaced.
const since = (before, after) => {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same += 1;
  const behind = before.slice(same), end = after.length - behind.length;
  return end >= same && after.endsWith(behind) ? after.slice(same, end) : after;
};

const holds = (text, part) => text === part || since(part, text) !== text; // and maybe more than it

// What was sent from a box, by Enter or a click, and Gradio has not called us for yet, {text, asked, at}: what
// stood in the box, and what of it is asked: not what was sent just before. Gradio calls once for each, soon.
const sends = {};
const LONGEST_MS = 20_000; // until a call; what is older never gets one
const sent = ({ target, timeStamp }) => {
  const box = boxOf(target), name = nameOf(box), { value } = box.querySelector("textarea");
  const before = (sends[name] ?? []).filter(({ at }) => timeStamp - at < LONGEST_MS), last = before.at(-1);
  sends[name] = [...before, { text: value, asked: last ? since(last.text, value) : value, at: timeStamp }];
};
const isSending = ({ key, shiftKey, target }) => key === "Enter" && !shiftKey && target.matches("textarea");
document.addEventListener("keypress", (event) => isSending(event) && boxOf(event.target) && sent(event), true);

// What stood in each box at the last click on anything.
const clickedAt = {};
// Which of its tab's examples was clicked last.
let exampleAt = 0;
const clicked = (event) => {
  for (const text of document.querySelectorAll('[id^="box-"] textarea')) {
    clickedAt[nameOf(boxOf(text))] = text.value;
  }
  const example = event.target.closest?.(".talk button.example");
  if (example) exampleAt = [...example.parentElement.children].indexOf(example);
  if (event.target.closest?.("button.submit-button")) sent(event);
};
document.addEventListener("click", clicked, true);

// What a person asks, and what the box holds from then on.
const takenFrom = (name, typed) => {
  const found = copied(typed), send = sends[name]?.shift() ?? { text: found.text, asked: found.text };
  return [{ ...found, text: send.asked }, { text: since(send.text, found.text), files: [] }];
};
// A question goes back to the box. With one that was just sent from there, and not taken yet, it is asked again.
const takenBack = (name, question, typed) => {
  const behind = (text) => merged(question, { text, files: [] }).text;
  sends[name]?.forEach((send, at) => {
    send.text = behind(send.text);
    if (at === 0) send.asked = behind(send.asked);
  });
  return { value: merged(question, copied(typed)) };
};

// What went wrong, below a tab; `inLine` is how its model's status line says the same, and need not meanwhile.
const tell = (name, html, inLine = "") => {
  const place = document.getElementById(`trouble-${name}`);
  if (place) place.innerHTML = html;
  if (inLine === (saidBelow[name] ?? "")) return;
  saidBelow[name] = inLine;
  stand();
};

// ---- what the chatbot shows ----

const bubble = (role, content) => ({ role, content, metadata: null, options: null });
const text = (html) => ({ type: "text", text: html });
const asked = (question, html, before) =>
  bubble("user", [text(stripOf(question.files, picturesIn(before)) + html + buttonsOf(before.length))]);
const conversation = (name) => {
  const { turns, now } = tabOf(name);
  countOn(name);
  return [
    ...turns.flatMap((turn) => turn.bubbles),
    ...(now?.question_bubble ? [now.question_bubble] : []),
    ...(now?.shown ? [bubble("assistant", [text(now.shown)])] : []),
  ];
};

// ---- a turn, from its question to its end ----

const told = ({ text: typed, files }) => {
  return { text: typed, pictures: files.map(({ path }) => path), one_tile: oneTile(files) };
};
const byName = (values) => Object.fromEntries(settings.settingNames.map((name, at) => [name, values[at]]));

const answerNow = async (name, values) => {
  const tab = tabOf(name), now = tab.now;
  const question = {
    tab: modelOf(name),
    turn: now.number,
    question: told(now.question),
    history: tab.turns.map((turn) => ({ question: told(turn.question), answer: turn.answer })),
    settings: byName(values),
  };
  const grow = (updates) => {
    for (const each of updates) {
      if ("question" in each) now.question_bubble = asked(now.question, each.question, tab.turns);
      else now.shown = now.shown.slice(0, each.keep) + each.add;
    }
    now.isHeard();
    news[name].grown();
  };
  now.end = await answerOf(question, grow, now.calledOff.signal);
  now.isHeard();
  if (now.end) news[name].ended();
};

// For the outputs: conversation, box, cost.
const begun = (name, question, values, box) => {
  const tab = tabOf(name);
  tab.now = {
    question, question_bubble: null, shown: "", number: ++count, calledOff: new AbortController(), end: null,
  };
  tab.now.heard = new Promise((resolve) => (tab.now.isHeard = resolve)); // that the server has it
  tab.next = "";
  tell(name, "");
  answerNow(name, values);
  return [conversation(name), asking(box), ""];
};

// Enter. During an answer the question waits in the box until the answer is complete; one that is changed
// meanwhile waits for another Enter.
const ask = (name, typed, ...values) => {
  const tab = tabOf(name), [question, value] = takenFrom(name, typed);
  if (isEmpty(question)) return NOTHING;
  if (tab.now || isReading(name)) {
    tab.next = question.text;
    return NOTHING;
  }
  return begun(name, question, values, { value });
};

// An example was clicked, of those that the preset has in each language. Gradio would tell the server alone which
// one; but a page whose Gradio has once not reached the server hears no click any more, and loads itself anew.
const askExample = (name, examples, ...values) => {
  const tab = tabOf(name), example = examples[language][exampleAt];
  if (tab.now || tab.turns.length) return NOTHING;
  const files = example.files.map(({ path, orig_name, mime_type, size }) =>
    fileAt(path, { name: orig_name, type: mime_type, size }),
  );
  return begun(name, { text: example.text, files }, values);
};

const askAgain = (name, ...values) => {
  const tab = tabOf(name);
  if (tab.now || !tab.turns.length) return NOTHING;
  return begun(name, tab.turns.pop().question, values);
};

const answered = (shown, boxes, questions) => bubble("assistant", [text(pointedAt(boxes, questions) + shown)]);
const turnOf = ({ question, question_bubble, end }, before) => {
  const questions = [...before.map((turn) => turn.question), question];
  return { question, answer: end.answer, bubbles: [question_bubble, answered(end.shown, end.boxes, questions)] };
};
const grown = (name) => [conversation(name)];

// After every answer, however it ended. A question without one goes back to the box.
const ended = (name, typed, ...values) => {
  const tab = tabOf(name), now = tab.now;
  if (!now?.end) return NOTHING;
  const { question, end } = now;
  tab.now = null;
  if (!("answer" in end)) {
    tell(name, end.trouble, end.in_line);
    return [conversation(name), resting(takenBack(name, question, typed)), ""];
  }
  tab.turns.push(turnOf(now, tab.turns));
  keep(name);
  const isNext = !isReading(name) && tab.next.trim() && typed.text === tab.next;
  if (isNext) return begun(name, copied(typed), values, { value: EMPTY() });
  return [conversation(name), resting(), end.cost];
};

const stopNow = async (name) => {
  const { now } = tabOf(name);
  if (now) await send("stop", { tab: modelOf(name), turn: now.number }).catch(() => now.calledOff.abort());
};
const stop = (name) => {
  stopNow(name);
  return NOTHING;
};

const undo = (name, typed) => {
  const tab = tabOf(name);
  if (tab.now || !tab.turns.length) return NOTHING;
  const { question } = tab.turns.pop();
  tell(name, "");
  keep(name);
  return [conversation(name), update(takenBack(name, question, typed)), ""];
};

// Gradio has emptied the chatbot already. For the outputs: box, cost. A question that was taken, but was still
// seen in its box, is none of the conversation that a person clears: it stays there.
const clear = (name, typed) => {
  const tab = tabOf(name), now = tab.now;
  now?.calledOff.abort();
  Object.assign(tab, { turns: [], now: null, next: "" });
  if (tab.kept) keep(name);
  tab.kept = null;
  tell(name, "");
  countOn(name);
  const stays = now?.question.text.trim() && holds(clickedAt[name], now.question.text);
  return [resting(stays ? takenBack(name, now.question, typed) : {}), ""];
};
