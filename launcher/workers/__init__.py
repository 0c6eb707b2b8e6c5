"""Models run in child processes: who may load, who is started and stopped, and the way of a question to its
answer."""
