"""The Gradio page: a tab for each preset, in English and Chinese. It asks the manager for everything and
schedules nothing.

What builds the page has Gradio from ``launcher.ui.gradio_import``, which saves half of the time that its
import takes; the guard and the server are without it, so that the endpoint can be served alone.
"""
