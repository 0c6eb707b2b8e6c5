// What this page asks of the launcher's own routes (launcher/ui/routes), and what it is told by them.

const language = /^zh(-|$)/i.test(navigator.language ?? "") ? "zh" : "en";
const asAttribute = (text) => text.replace(/[^\p{L}\p{N} ,;:=/?.-]/gu, (mark) => `&#${mark.codePointAt(0)};`);
const asHtml = (text) => new Option(text).innerHTML.replaceAll("\n", "<br>");

// Which page this is, for the server: nobody else can guess it.
const drawn = () => {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
};
const page = drawn();

const address = (route) => `${window.gradio_config.root}/launcher/${route}`;
const send = (route, values = {}, options = {}) =>
  fetch(address(route), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ page, ...values }),
    ...options,
  });

const isEnd = (update) => update && ("answer" in update || "trouble" in update);

// A question -> the end of its answer (launcher/ui/updates.py), of which `tell` is told as it grows: each time
// all that has come. Where there is none, the end says why; an answer that is called off has no end.
const answerOf = async (question, tell, calledOff) => {
  try {
    const response = await send("ask", question, { signal: calledOff });
    if (!response.ok) return { trouble: asHtml(await response.text()) };
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let begun = "", end = null; ; ) {
      const { value, done } = await reader.read();
      if (done && end) return end;
      if (done) break;
      const lines = (begun + value).split("\n");
      begun = lines.pop();
      const updates = lines.filter(Boolean).map((line) => JSON.parse(line)); // an empty one is a heartbeat
      if (isEnd(updates.at(-1))) end = updates.pop();
      if (updates.length) tell(updates);
    }
  } catch (error) {
    if (calledOff.aborted) return null;
    console.info(`launcher: ${error}`);
  }
  return { trouble: asHtml(settings.lost[language]) };
};

// Gradio's side: by tab, "" for the page itself, the events that a hidden component of ours has for each kind
// of news. A tab has them once Gradio has built it.
const news = {};
const onBuilt = {}; // by tab: what waits for it
const built = (name) =>
  new Promise((resolve) => (news[name] ? resolve() : (onBuilt[name] ??= []).push(resolve)));
const connect = (name, events) => {
  news[name] = events;
  if (name) draw(name);
  else stand();
  onBuilt[name]?.splice(0).forEach((resolve) => resolve());
};

// The models' status lines, followed while the page is seen: no line is shown that nobody follows, and a page
// that nobody sees holds none of the six connections that a browser has to a server.
// A line's seconds are counted here: `heardAt` is when its own were right.
let lines = {}, heardAt = {}, stream = null;
const SECONDS = /(<span class="seconds">)(\d+)/;
const stand = () => news[""]?.stand();
// By tab, a model's column being one: what stands below it, as a line would say it. The line leaves that out.
const saidBelow = {};
const lineOf = (tab) => {
  const name = modelOf(tab), passed = Math.floor((performance.now() - heardAt[name]) / 1000);
  const line = (lines[name] ?? "").replace(saidBelow[tab] ?? "", "");
  return line.replace(SECONDS, (_, tag, seconds) => tag + (Number(seconds) + passed));
};
setInterval(() => Object.values(lines).some((line) => SECONDS.test(line)) && stand(), 1000);
const isSeen = () => document.visibilityState === "visible";

const follow = () => {
  if (stream || !isSeen()) return;
  stream = new EventSource(address(`status?page=${page}`));
  stream.onmessage = (event) => {
    const changed = JSON.parse(event.data);
    take(changed);
    Object.assign(lines, changed);
    for (const name in changed) heardAt[name] = performance.now();
    stand();
  };
  stream.onerror = () => {
    lines = {}; // what they say may be so no more
    stand();
    if (stream?.readyState !== EventSource.CLOSED) return; // else it is tried again by the browser
    stream = null;
    setTimeout(follow, 3000);
  };
};
const cover = async () => {
  const covered = stream;
  if (!covered) return;
  [stream, lines] = [null, {}];
  stand();
  await send("cover", {}, { keepalive: true }).catch(() => {}); // first: a stream that is cut is a closed page
  covered.close();
};

document.addEventListener("visibilitychange", () => (isSeen() ? follow() : cover()));
window.addEventListener("pagehide", () => send("leave", {}, { keepalive: true }).catch(() => {}));
window.addEventListener("pageshow", follow);
