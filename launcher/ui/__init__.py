"""The Gradio page: a tab for each preset, in English and Chinese. It asks the manager for everything and
schedules nothing.

Importing this package imports Gradio, by way of ``launcher.ui.gradio_import``, which saves half of the time
that takes.
"""

from launcher.ui import gradio_import as gradio_import
