/* What the page does in the browser itself: nobody waits for a server there, and nothing comes between
   reading a box and emptying it.

   The server's part of a question is one event, whose only output is the conversation. Before it this script
   takes the question out of the box; after it, it gives the buttons back, and a question that was not answered
   too. So what a person types or clicks meanwhile is neither lost nor doubled.

   launcher.page_script puts the settings in: {limitBytes, tooLarge: {en, zh}}. */
window.launcher = ((settings) => {
  // ---- turns: a question, its answer, and what may be clicked meanwhile ----

  // A tab by its preset's name. Its questions are kept as they were typed, one for each in the conversation.
  const tabs = {};
  const tabOf = (name) =>
    (tabs[name] ??= { questions: [], turn: 0, answering: false, next: "", cleared: false });

  const NOTHING = []; // every output of an event stays as it is
  const EMPTY = () => ({ text: "", files: [] });
  const update = (values) => ({ __type__: "update", ...values });
  const copied = (typed) => JSON.parse(JSON.stringify({ text: typed?.text ?? "", files: typed?.files ?? [] }));
  const isEmpty = (typed) => !typed.text.trim() && !typed.files.length;
  const written = (name) => document.querySelector(`[id="box-${name}"] textarea`)?.value ?? "";
  const merged = (first, second) => ({
    text: [first.text, second.text].filter(Boolean).join("\n"),
    files: [
      ...first.files,
      ...second.files.filter((file) => !first.files.some((known) => known.path === file.path)),
    ],
  });

  const isQuestion = (bubble) => bubble?.role === "user";
  const lastQuestion = (bubbles) => bubbles.findLastIndex(isQuestion);
  const countQuestions = (bubbles) => bubbles.filter(isQuestion).length;
  const note = (bubble) => bubble?.metadata?.log ?? ""; // what an answer cost, or why there is none: HTML

  const tell = (name, html) => {
    const place = document.getElementById(`trouble-${name}`);
    if (place) place.innerHTML = html;
  };

  // For the outputs: conversation, box, cost, the question that is asked, the turn. A new turn is answered.
  const begun = (name, question, bubbles, box) => {
    const tab = tabOf(name);
    Object.assign(tab, { answering: true, next: "", cleared: false, turn: tab.turn + 1 });
    tab.questions.push(question);
    tell(name, "");
    return [bubbles, update({ ...box, submit_btn: false, stop_btn: true }), "", question, tab.turn];
  };
  const takenBack = (tab, bubbles, typed) => {
    const question = tab.questions.pop();
    const isShown = countQuestions(bubbles) > tab.questions.length;
    return [isShown ? bubbles.slice(0, lastQuestion(bubbles)) : bubbles, merged(question, typed)];
  };

  // Enter. During an answer the question waits in the box until the answer is complete; one that is changed
  // meanwhile waits for another Enter.
  const ask = (name, typed) => {
    const tab = tabOf(name);
    if (tab.answering) tab.next = written(name);
    if (tab.answering || isEmpty(copied(typed))) return NOTHING;
    return begun(name, copied(typed), undefined, { value: EMPTY() });
  };

  const askExample = (name, example) => {
    const tab = tabOf(name);
    if (tab.answering || tab.questions.length) return NOTHING;
    return begun(name, copied(example), undefined, {});
  };

  const askAgain = (name, bubbles) => {
    const tab = tabOf(name);
    if (tab.answering || !tab.questions.length) return NOTHING;
    return begun(name, tab.questions.pop(), bubbles.slice(0, lastQuestion(bubbles) + 1), {});
  };

  // After every answer, however it ended.
  const end = (name, bubbles, typed) => {
    const tab = tabOf(name);
    tab.answering = false;
    if (tab.cleared) {
      tab.questions = [];
      return ended(name, [], copied(typed), {}, "");
    }
    const last = (bubbles ??= []).at(-1);
    if (countQuestions(bubbles) === tab.questions.length && !isQuestion(last))
      return ended(name, bubbles, copied(typed), {}, note(last));
    tab.next = "";
    tell(name, isQuestion(last) ? note(last) : "");
    const [before, box] = takenBack(tab, bubbles, copied(typed));
    return ended(name, before, box, { value: box }, "");
  };
  const ended = (name, bubbles, typed, box, cost) => {
    if (typed.text.trim() && typed.text === tabOf(name).next) return begun(name, typed, bubbles, { value: EMPTY() });
    return [bubbles, update({ ...box, submit_btn: true, stop_btn: false }), cost];
  };

  const undo = (name, bubbles, typed) => {
    const tab = tabOf(name);
    if (tab.answering || !tab.questions.length) return NOTHING;
    const [before, box] = takenBack(tab, bubbles, copied(typed));
    tell(name, "");
    return [before, update({ value: box }), ""];
  };

  // The conversation is empty already; an answer that still runs is taken away at its end.
  const clear = (name) => {
    const tab = tabOf(name);
    tab.questions = [];
    tab.cleared = tab.answering;
    tell(name, "");
    return [""];
  };

  // ---- following the models: while the page is seen, and no line is shown that nobody follows ----

  const isSeen = () => document.visibilityState === "visible";
  const follow = () => document.getElementById("follow")?.click();
  document.addEventListener("visibilitychange", () => isSeen() && follow());

  const followed = (lines, pause) => {
    if (!isSeen()) return Array(lines).fill("");
    setTimeout(follow, pause);
    return NOTHING;
  };

  // ---- files: by dialog, drop or paste they go one way, whatever they are called ----

  const language = /^zh(-|$)/i.test(navigator.language ?? "") ? "zh" : "en";
  const asHtml = (text) => new Option(text).innerHTML.replaceAll("\n", "<br>");
  const shortened = (name) => (name.length > 80 ? `${name.slice(0, 79)}…` : name);
  const tooLarge = ({ name, size }) => {
    const values = {
      name: shortened(name),
      size: (size / 1e6).toFixed(1),
      limit: settings.limitBytes / 1e6,
    };
    return asHtml(settings.tooLarge[language].replace(/\{(\w+)\}/g, (_, key) => values[key]));
  };

  const boxOf = (target) => target.closest?.('[id^="box-"]');
  const tellAt = (box, html) => tell(box.id.slice("box-".length), html);
  const put = (input, files) => {
    const carrier = new DataTransfer();
    files.forEach((file) => carrier.items.add(file));
    input.files = carrier.files;
  };

  const onChosen = (event) => {
    const box = boxOf(event.target), files = [...(event.target.files ?? [])];
    if (!box || !files.length) return;
    const large = files.filter((file) => file.size > settings.limitBytes);
    tellAt(box, large.map(tooLarge).join("<br>"));
    if (large.length) put(event.target, files.filter((file) => !large.includes(file)));
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

  // A refused upload: the server's own words are shown, and Gradio is told that nothing came.
  const isUpload = (resource) => /\/gradio_api\/upload(\?|$)/.test(resource?.url ?? resource);
  const ownFetch = window.fetch;
  window.fetch = async (resource, options) => {
    const response = await ownFetch(resource, options);
    const box = [...document.querySelectorAll('[id^="box-"]')].find((each) => each.offsetParent);
    if (response.ok || !isUpload(resource) || !box) return response;
    tellAt(box, asHtml(await response.text()));
    return Response.json([]);
  };

  return { ask, askExample, askAgain, end, undo, clear, followed };
})(SETTINGS);
