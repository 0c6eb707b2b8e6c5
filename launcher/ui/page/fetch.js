// Downloads of models: the buttons that the server draws (launcher/ui/fetch_panel.py). How far one is comes with
// the status stream.

const press = async (name, route, values) => {
  tell(`fetch-${name}`, "");
  try {
    const response = await send(route, { tab: name, ...values });
    if (!response.ok) tell(`fetch-${name}`, asHtml(await response.text()));
  } catch (error) {
    console.info(`launcher: ${error}`);
    tell(`fetch-${name}`, asHtml(say("unreached")));
  }
};

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.(".fetch button");
  if (button?.dataset.fetch) press(button.dataset.fetch, "fetch", { hub: button.dataset.hub });
  if (button?.dataset.cancel) press(button.dataset.cancel, "fetch/cancel");
});
