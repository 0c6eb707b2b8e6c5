"""The page's script that makes copied answers the answers themselves.

Gradio's copy button copies what a bubble was given, which is HTML with the answer in a comment behind it
(``launcher.ui.shown_text``). Both ways by which Gradio reaches the clipboard are looked after: the one of
secure pages, and the one of pages served by plain HTTP to another machine.
"""

COPIED_TEXT = """
(() => {
  const GIVEN = /<!--answer:([A-Za-z0-9+\\/=]*)-->$/;
  const asGiven = (text) => {
    const found = GIVEN.exec(text);
    return found && new TextDecoder().decode(Uint8Array.from(atob(found[1]), (byte) => byte.charCodeAt(0)));
  };
  const clipboard = navigator.clipboard;
  if (clipboard) {
    const write = clipboard.writeText.bind(clipboard);
    clipboard.writeText = (text) => write(asGiven(text) ?? text);
  }
  document.addEventListener("copy", (event) => {
    const text = asGiven(document.activeElement?.value ?? "");
    if (text === null) return;
    event.clipboardData.setData("text/plain", text);
    event.preventDefault();
  });
})();
"""
