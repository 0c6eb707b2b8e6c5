"""How the page looks: a calm theme on system fonts (nothing is fetched), and the few styles Gradio has no
setting for."""

from __future__ import annotations

from launcher.ui.gradio_import import gr

_SANS = [
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "sans-serif",
]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def page_theme() -> gr.themes.Base:
    """The theme, light and dark."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.teal,
        secondary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        block_border_width="1px",
        block_shadow="none",
        color_accent="*primary_700",
        link_text_color="*primary_700",
        body_text_color_subdued="*neutral_500",
    )


PAGE_CSS = """
.gradio-container { --focus: var(--primary-700); }
.dark .gradio-container, .gradio-container.dark { --focus: var(--primary-300); }
.gradio-container > .main {
  max-width: 920px !important; width: 100%; margin: 0 auto; padding: 14px 16px !important;
}
.gradio-container main.contain {
  max-width: none !important; width: 100%; margin: 0 !important; padding: 0 !important;
}
.gradio-container .column { gap: 10px; }
.gradio-container .html-container { padding: 0 2px !important; }
.head { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; }
.head h1 { font-size: 1.3rem; font-weight: 650; margin: 0; letter-spacing: -0.01em; }
.head p { margin: 0; color: var(--body-text-color-subdued); font-size: 0.92rem; }
.note { border-left: 3px solid #d97706; padding: 6px 12px; font-size: 0.92rem;
  background: var(--background-fill-secondary); }
.note summary { cursor: pointer; font-weight: 600; }
.note ul { margin: 6px 0 0; padding-left: 18px; overflow-wrap: anywhere; }
.missing { padding: 14px 2px; }
.missing h2 { font-size: 1.1rem; margin: 0 0 8px; }
.missing p { margin: 0 0 10px; line-height: 1.7; overflow-wrap: anywhere; }
.missing code, .status code, .note code, .trouble code, .fetch code {
  font-family: var(--font-mono); background: var(--background-fill-secondary);
  border: 1px solid var(--border-color-primary); border-radius: 4px; padding: 1px 5px; user-select: all; }
.fetch h2 { font-size: 1.1rem; margin: 14px 0 8px; }
.fetch p { margin: 0 0 10px; line-height: 1.6; overflow-wrap: anywhere; }
.fetch progress { appearance: none; display: block; width: 100%; max-width: 560px; height: 10px; border: 0;
  border-radius: 5px; overflow: hidden; margin: 0 0 6px; background: var(--border-color-primary); }
.fetch progress::-webkit-progress-bar { background: var(--border-color-primary); }
.fetch progress::-webkit-progress-value { background: var(--color-accent); }
.fetch progress::-moz-progress-bar { background: var(--color-accent); }
.fetch .how { font-variant-numeric: tabular-nums; font-size: 0.92rem; min-height: 1.6em; }
.fetch .acts { display: flex; flex-wrap: wrap; gap: 8px 12px; margin: 12px 0; }
.fetch code { box-decoration-break: clone; -webkit-box-decoration-break: clone; }  /* whole on each line */
.fetch button { font: inherit; cursor: pointer; margin: 0; padding: 6px 16px; border-radius: 6px;
  border: 1px solid var(--border-color-primary); color: var(--body-text-color);
  background: var(--background-fill-secondary); }
.fetch button.first { color: #fff; background: var(--primary-700); border-color: var(--primary-700); }
.fetch button:hover { border-color: var(--focus); }
.fetch button:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.block:has(> .html-container > .prose > .fetch:empty) { display: none; }
.block:has(> .html-container > .prose > .devices > summary:empty) { display: none; }
.devices { font-size: 0.86rem; --m0: #0d9488; --m1: #6366f1; --m2: #d97706; --m3: #db2777; --m4: #65a30d;
  --m5: #0284c7; }
.devices summary { cursor: pointer; color: var(--body-text-color-subdued); }
.devices summary:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.devices summary .device { display: inline-flex; flex-wrap: wrap; align-items: center; gap: 2px 8px;
  margin-right: 18px; vertical-align: middle; }
.devices summary .bar { width: 120px; height: 8px; }
.devices section { margin: 8px 0 10px; }
.devices h3 { font-size: 0.9rem; margin: 0 0 4px; }
.devices .bar { position: relative; display: flex; height: 18px; border-radius: 4px; overflow: hidden;
  background: var(--background-fill-secondary); border: 1px solid var(--border-color-primary); }
.devices .bar i { height: 100%; background: var(--c); }
.devices .bar b { position: absolute; top: 0; bottom: 0; width: 2px; margin-left: -2px;
  background: var(--body-text-color); }
.devices .m0 { --c: var(--m0); } .devices .m1 { --c: var(--m1); } .devices .m2 { --c: var(--m2); }
.devices .m3 { --c: var(--m3); } .devices .m4 { --c: var(--m4); } .devices .m5 { --c: var(--m5); }
.devices .others { --c: var(--neutral-400); }
.devices .bar i.free { background: none; }
.devices .bar i.cache { opacity: 0.65; }
.devices .bar i.rest { opacity: 0.35; }
.devices .bar i.asleep, .devices li.asleep::before {
  background: repeating-linear-gradient(45deg, var(--c) 0 3px, transparent 3px 6px); }
.devices ul { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 6px 0 0; padding: 0; }
.devices li { margin: 0; }
.devices li::before { content: ""; display: inline-block; width: 10px; height: 10px; margin-right: 6px;
  border-radius: 2px; background: var(--c); }
.devices li.free::before { border: 1px solid var(--body-text-color-subdued); }
.devices li.budget::before { width: 2px; background: var(--body-text-color); }
.facts { margin: 0 0 4px !important; font-size: 0.86rem; color: var(--body-text-color-subdued) !important;
  overflow-wrap: anywhere; }
.status { margin: 0 !important; font-size: 0.9rem; min-height: 1.5em; overflow-wrap: anywhere; }
.status .held { color: var(--body-text-color-subdued); margin-left: 8px; }
.trouble { font-size: 0.92rem; line-height: 1.6; overflow-wrap: anywhere; border-left: 3px solid #dc2626;
  background: var(--background-fill-secondary); padding: 8px 12px; border-radius: 4px; }
.block:has(> .html-container > .prose > .trouble:empty), .trouble:empty { display: none; }
.attached { font-size: 0.9rem; color: var(--body-text-color-subdued); white-space: pre-line;
  overflow-wrap: anywhere; }
.block:has(> .html-container > .prose > .attached:empty), .attached:empty { display: none; }
.cost { margin: 0 !important; font-size: 0.9rem; color: var(--body-text-color-subdued) !important; }
/* Gradio's own messages stand above all parts of the page: over a button they would stay for good. */
.gradio-container .toast-wrap { position: static; order: -1; width: 100%; align-items: stretch; }
.gradio-container .toast-body { max-width: none; margin-bottom: 10px; }
.talk button.earlier { all: unset; cursor: pointer; margin-left: 6px; padding: 0 3px; opacity: 0.45; }
.talk button.earlier:hover { opacity: 1; }
.talk button.earlier:focus-visible { opacity: 1; outline: 2px solid var(--focus); }
.talk button.amend::before { content: "✎"; content: "✎" / ""; }  /* a sign alone: its name is the title */
.talk button.carry::before { content: "⇄"; content: "⇄" / ""; }
.columns button.earlier { display: none; }
.conversation:has(button.stop-button) button.earlier { visibility: hidden; }  /* till the answer has ended */
.dark button[role="tab"].selected { color: var(--primary-300); }  /* the accent alone is too dark there */
.choice { gap: 6px 10px !important; }
.choice > * { flex: 0 1 auto !important; width: auto !important; margin: 0 !important; }
.columns .name { font-weight: 600; }
.shelf { font-size: 0.9rem; }
.shelf summary { cursor: pointer; color: var(--body-text-color-subdued); }
.shelf ul { list-style: none; margin: 4px 0; padding: 0; }
.shelf li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; padding: 3px 0;
  border-bottom: 1px solid var(--border-color-primary); }
.shelf li > :first-child { flex: 1 1 220px; min-width: 0; text-align: left; overflow-wrap: anywhere; }
.shelf p { display: flex; gap: 12px; margin: 6px 0; }
.shelf time, .shelf .exports { color: var(--body-text-color-subdued); }
.shelf time { font-size: 0.86rem; }
.shelf .exports { display: flex; gap: 8px; }
.shelf button { all: unset; color: var(--link-text-color); cursor: pointer; }
.shelf button:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.shelf button:hover { text-decoration: underline; }
.shelf button.title { color: var(--body-text-color); }
.shelf button.title[aria-current] { font-weight: 600; }
.shelf input { background: var(--input-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 4px; padding: 1px 6px; }
.standing { align-items: center; gap: 2px 14px !important; flex-wrap: wrap; min-height: 1.6em; }
.standing > * { flex: 0 1 auto !important; width: auto !important; min-width: 0 !important; }
.standing > :has(.cost) { flex: 1 1 320px !important; }  /* a long one has its lines beside Unload */
.reset { align-self: flex-end; width: auto !important; }
.standing .unload { display: none; margin-left: auto; padding: 0 10px; }
.standing:has(.unloadable) .unload { display: block; }
.status::before {
  content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 8px;
  background: var(--neutral-400); vertical-align: 1px; }
.status.ready::before { background: #16a34a; }
.status.loading::before, .status.waiting::before, .status.stopping::before {
  background: #d97706; animation: breathe 1.2s ease-in-out infinite; }
.status.failed::before, .status.unavailable::before { background: #dc2626; }
@keyframes breathe { 50% { opacity: 0.25; } }
@media (prefers-reduced-motion: reduce) { .status::before { animation: none !important; } }
/* It would copy the entities that keep typed text from being obeyed; a person has the text in any case. */
.talk .message-buttons-right { display: none; }
/* The line above the tabs that says how much of the devices is in use, where it is shown. */
.gradio-container { --line: 0px; }
.gradio-container:has(.devices > summary:not(:empty)) { --line: 34px; }
/* Gradio shows messages at 80 %: texts with less contrast, and pictures that stand in them paled. */
.talk .message .md { opacity: 1; }
/* Nothing is wider than its bubble, and each line goes the way of its own letters. */
.talk .message .md :not(pre) > code { overflow-wrap: anywhere; white-space: pre-wrap; }
.talk .message .md :is(.katex-display, p:has(> .katex)) { overflow-x: auto; overflow-y: hidden; }
.talk .message .md :is(p, li, div, th, td, h1, h2, h3, h4, h5, h6), .question textarea, .shelf .title {
  unicode-bidi: plaintext; text-align: start; }
.talk .pictures { display: flex; flex-wrap: wrap; gap: 6px; margin-bottom: 6px; }
.talk button.picture { all: unset; position: relative; cursor: zoom-in; }
.talk button.picture:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.talk .pointed > div { position: relative; display: inline-block; margin-bottom: 6px; }
.talk .pointed img { display: block; width: auto !important; height: auto; max-width: 100%; margin: 0;
  max-height: 360px; }
.talk .pointed .box { position: absolute; border: 2px solid #e11d48; border-radius: 2px; }
.talk .pointed .box b { position: absolute; left: -2px; top: -2px; padding: 0 4px; font-size: 0.72rem;
  line-height: 1.4; font-weight: 600; white-space: nowrap; color: white; background: #e11d48; }
.talk .pointed .box b:empty { display: none; }
dialog.seen { max-width: 96vw; max-height: 94vh; padding: 12px; border-radius: 8px; overflow: auto;
  border: 1px solid var(--border-color-primary); color: var(--body-text-color);
  background: var(--background-fill-primary); margin: auto; }
dialog.seen::backdrop { background: rgb(0 0 0 / 0.55); }
dialog.seen p { margin: 0 0 8px; font-size: 0.95rem; overflow-wrap: anywhere; }
dialog.seen img { display: block; max-width: 100%; max-height: 76vh; margin: 0 auto 8px; }
dialog.seen button { color: var(--link-text-color); cursor: pointer; }
.talk .picture img { display: block; width: auto !important; height: auto; max-height: 220px; max-width: 100%;
  margin: 0; border-radius: 4px; object-fit: contain; }
.talk .picture:not(:only-child) img { max-height: 120px; }
.talk .picture span, .question .thumbnail-wrapper:not(:only-of-type)::after {
  position: absolute; left: 2px; top: 2px; padding: 0 5px; border-radius: 4px; font-size: 0.7rem;
  line-height: 1.4; color: white; background: rgb(0 0 0 / 0.65); pointer-events: none; }
/* Gradio measures how high a question box has to be; in a tab that is built out of sight it finds nothing.
   (Rules for @supports it leaves out unless they stand inside another.) */
.question textarea {
  @supports (field-sizing: content) {
    field-sizing: content; width: 100%; height: auto !important; max-height: 20lh; }
}
.question .textarea-wrapper { min-width: 0; }  /* else the invitation's width pushes Submit out of a phone */
.question .thumbnail-wrapper img { outline: 1px solid var(--border-color-primary); outline-offset: -1px; }
.question .thumbnails { counter-reset: picture var(--pictures-before, 0); }
.question textarea::placeholder { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.question .thumbnail-wrapper { position: relative; counter-increment: picture; }
.question .thumbnail-wrapper::after { content: counter(picture); }
.question .thumbnail-wrapper:only-of-type::after { content: none; }
/* A conversation, what stands above it and below it, and its box have one height together: what comes among
   them takes its room from the conversation, and the box stays where it is. */
.conversation { min-height: clamp(392px, calc(100dvh - 212px - var(--line)), 872px); }
.columns > .column { min-height: clamp(306px, calc(100dvh - 334px), 766px); }
.talk { flex: 1 1 200px !important; min-height: 200px; height: auto !important; }
.talk > .wrapper { min-height: 0; }  /* WebKit takes 100% of what is stretched for as high as its content */
/* The box of the Compare tab stays in sight, however far its columns go. (Inside what is hidden where it
   overflows nothing sticks; inside what is clipped it does.) */
.gradio-container { overflow: clip !important; }
.asking { position: sticky; bottom: 0; z-index: 1; padding-bottom: 8px;
  background: var(--body-background-fill); }
.asking .question textarea { max-height: 8lh; }
.columns { isolation: isolate; }
.columns button { scroll-margin-bottom: 110px; }  /* one that is reached by Tab is not behind it */
/* Where a person's own colours take the place of ours, what only a colour says keeps it. */
@media (forced-colors: active) {
  .devices .bar, .devices li::before, .status::before { forced-color-adjust: none; }
  .fetch progress, .fetch button.first { forced-color-adjust: none; }
  button[role="tab"].selected { border-bottom: 3px solid Highlight; }
}
/* An iPhone zooms into a box with smaller letters once it is touched, and stays there. */
@media (pointer: coarse) {
  textarea, input[type="number"], .shelf input { font-size: 16px !important; }
}
@media (max-width: 640px) {
  .fetch .how { min-height: 3.2em; }  /* two lines, so that Cancel stays where it is */
  .shelf time { flex-basis: 100%; }
  /* Side by side, a name of a slider has a letter a line. */
  .advanced .row { flex-direction: column; align-items: stretch; }
  .advanced .row > * { width: 100% !important; }
  .devices summary .bar { width: 64px; }
  .talk .picture:not(:only-child) img { max-height: 84px; }
  .gradio-container > .main { padding: 8px 10px !important; }
  .tab-container.wrap { flex-wrap: nowrap !important; overflow-x: auto !important; scrollbar-width: thin; }
  .tab-container.wrap > button { flex-shrink: 0; }
  .conversation { min-height: clamp(388px, calc(100dvh - 204px - var(--line)), 748px); }
  .standing > :has(.cost) { order: 1; flex-basis: 100% !important; }  /* below Unload */
  /* Below each other, those that have said nothing leave room for the others. */
  .columns > .column:not(:has(.message)) { min-height: 0; }
  .columns > .column:not(:has(.message)) > .talk { flex-basis: 90px !important; min-height: 0; }
}
"""
