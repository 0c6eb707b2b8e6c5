"""The endpoint: the models in OpenAI's form, for programs, beside the page or alone. It asks the manager for
everything, as the page does, and schedules nothing.

``routes`` is the endpoint; ``entrance`` says who gets to it, and puts it beside the page. The ``openai``
package's types, which take a second to import, are in ``completions`` and ``routes`` alone: they are imported
once the page is up, or when somebody asks, whichever is first.
"""
