// A conversation that shows its end goes on showing it when what stands around it takes some of its room
// (launcher/ui/theme.py): an answer's cost, an error, pictures in the box.

const NEAR_PX = 40; // from the end, and still there
const showsEnd = new WeakMap(); // a conversation's scrolled part -> whether it does
const hasRoom = new ResizeObserver((changes) => {
  for (const { target } of changes) if (showsEnd.get(target)) target.scrollTop = target.scrollHeight;
});
const scrolled = ({ target }) => {
  if (!target.matches?.(".talk .bubble-wrap")) return;
  const isNew = !showsEnd.has(target);
  showsEnd.set(target, target.scrollHeight - target.scrollTop - target.clientHeight < NEAR_PX);
  if (isNew) hasRoom.observe(target);
};
document.addEventListener("scroll", scrolled, true);
