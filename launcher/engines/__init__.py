"""The engines: how each is declared (``declaration``, ``declared``, ``table``), and the classes that run
models (``base`` is what they have in common)."""
