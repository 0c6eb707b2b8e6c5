"""Servers that speak OpenAI's API, as a client sees them: one connection pool (``server``), its streams of
events within bounds (``events``), and what goes wrong in words (``failures``). Knows nothing of engines."""
