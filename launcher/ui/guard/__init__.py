"""What stands between the page and whoever asks: one idea a file, most of them a pure ASGI middleware around
every route, Gradio's and ours; ``whole`` puts them together. ``docs/security.md`` says what is promised."""
