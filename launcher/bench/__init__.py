"""What the launcher costs, measured: the bare engine, the page before it, a switch, a start, pages that wait.

``figures`` is arithmetic; ``workload`` says what is asked. ``child`` spawns processes as workers are:
``engine_child`` drives the engine class with nothing in between, ``page_child`` serves the page,
``client_child`` is the people. ``throughput``, ``switch``, ``start`` and ``idle`` each measure one thing.
"""
