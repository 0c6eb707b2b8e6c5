// Beside each question of a conversation: two buttons that take up an earlier one again. A button's value says
// which turn it is of; questions in the columns of the Compare tab have none.

const buttonsOf = (at) =>
  ["amend", "carry"]
    .filter((what) => what !== "carry" || hasCompare())
    .map((what) => `<button type="button" class="earlier ${what}" value="${at}" title="${asHtml(say(what))}"></button>`)
    .join("");

const takeUp = ({ target }) => {
  const button = target.closest?.("[data-testid=user] button.earlier");
  const box = button?.closest("[role=tabpanel]").querySelector('[id^="box-"]');
  if (!box) return;
  const name = nameOf(box), at = Number(button.value);
  if (tabOf(name).now || !tabOf(name).turns[at]) return;
  if (button.classList.contains("carry")) carry(name, at);
  else {
    tabOf(name).amended = at;
    news[name].amended();
    writeIn(name);
  }
};
document.addEventListener("click", takeUp);

// A question that has come to a box is there to be changed.
const writeIn = async (name) => (await onPage(`[id="box-${name}"] textarea`)).focus();

// The question goes back to the box, to be changed and asked again. What came after it leaves the tab, and stays
// among the conversations that are kept: what is asked now begins another one.
const amend = (name, typed) => {
  const tab = tabOf(name), turn = tab.turns[tab.amended];
  if (tab.now || !turn) return NOTHING;
  tab.turns.splice(tab.amended);
  Object.assign(tab, { kept: null, next: "" });
  tell(name, "");
  draw(name);
  return [conversation(name), update(takenBack(name, turn.question, typed)), ""];
};

// ---- to the Compare tab ----

const hasCompare = () => elementIds().includes(`box-${COMPARE}`);
const elementIds = () => window.gradio_config.components.map(({ props }) => props.elem_id ?? "");
const comparable = () =>
  elementIds().filter((id) => id.startsWith("column-")).map((id) => id.slice("column-".length));

// Every column has the conversation before the question, and the box the question itself. What the columns had
// is gone, as with their bins; while they answer, nothing is carried.
let carried = EMPTY();
const carry = async (name, at) => {
  const button = document.getElementById(`${COMPARE}-button`);
  button.click();
  button.scrollIntoView({ inline: "nearest", block: "nearest" }); // on a phone tabs are one line
  await built(COMPARE);
  if (isComparing()) return;
  const { turns } = tabOf(name);
  for (const model of comparable()) {
    const column = model + COMPARE;
    Object.assign(tabOf(column), { turns: turns.slice(0, at) });
    tell(column, "");
    built(column).then(() => news[column].grown());
  }
  carried = turns[at].question;
  news[COMPARE].carried();
  writeIn(COMPARE);
};
// For the output: box.
const carriedOver = (typed) => [update(takenBack(COMPARE, carried, typed))];
