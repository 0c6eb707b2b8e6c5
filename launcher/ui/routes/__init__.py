"""What the page itself asks of the server, beside what Gradio asks (questions, stops, wishes, status lines),
and what programs ask over plain HTTP.

A question through Gradio's queue costs some milliseconds to take and some more for each update, as the
conversation goes to the server and back each time. These routes carry what is new, and nothing that a browser
sends is shown to anybody again.
"""

from launcher.ui.routes.router import page_routes, program_routes

__all__ = ["page_routes", "program_routes"]
