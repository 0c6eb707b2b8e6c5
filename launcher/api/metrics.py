"""What the endpoint tells Prometheus: questions, tokens, waits, models, and what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from launcher.messages import Chunk
from launcher.workers.manager import Manager
from launcher.workers.observers import Observer
from launcher.workers.states import ModelState

_FIRST_TOKEN_S = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics(Observer):
    """Counts for one launcher. Answers, tokens, loads and deaths are of the page and the endpoint together;
    requests and first tokens are the endpoint's."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "Questions at the endpoint.", "model")
        self._failures = self._counter(
            "failures", "Questions at the endpoint that ended in an error.", "model"
        )
        self._first_token = Histogram(
            "launcher_first_token_seconds",
            "From a question at the endpoint to the first text of its answer, loading included.",
            ["model"],
            registry=self.registry,
            buckets=_FIRST_TOKEN_S,
        )
        self._answers = self._counter("answers", "Answers that ended, by how.", "model", "finish")
        self._tokens = self._counter("tokens", "Tokens read (prompt) and said (answer).", "model", "kind")
        self._loads = self._counter("loads", "How often a model was loaded or woken.", "model")
        self._deaths = self._counter("crashes", "Processes that ended unasked.", "model")

    def of(self, manager: Manager) -> Metrics:
        """Tells of this manager's models, too."""
        self.registry.register(_Models(manager))
        return self

    def text(self) -> bytes:
        """All of it, in Prometheus' form."""
        return generate_latest(self.registry)

    def asked(self, model: str) -> None:
        """A question has come to the endpoint."""
        self._requests.labels(model).inc()

    def failed(self, model: str) -> None:
        """A question at the endpoint ended in an error."""
        self._failures.labels(model).inc()

    def first_token(self, model: str, seconds: float) -> None:
        """The first text of an answer came so long after its question."""
        self._first_token.labels(model).observe(seconds)

    def loaded(self, model: str) -> None:
        """See ``Observer``."""
        self._loads.labels(model).inc()

    def died(self, model: str) -> None:
        """See ``Observer``."""
        self._deaths.labels(model).inc()

    def answered(self, model: str, end: Chunk) -> None:
        """See ``Observer``."""
        self._answers.labels(model, end.finish).inc()
        if end.usage is not None:
            self._tokens.labels(model, "prompt").inc(end.usage.prompt_tokens)
            self._tokens.labels(model, "answer").inc(end.usage.new_tokens)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(f"launcher_{name}", what, labels, registry=self.registry)


class _Models(Collector):
    """What is so at the moment, asked of the manager."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Prometheus' values."""
        waiting = GaugeMetricFamily("launcher_waiting", "Questions that wait.", labels=["model"])
        running = GaugeMetricFamily("launcher_running", "Questions being answered.", labels=["model"])
        ready = GaugeMetricFamily("launcher_ready", "1 where the model is loaded.", labels=["model"])
        for status in self._manager.statuses():
            waiting.add_metric([status.name], status.waiting)
            running.add_metric([status.name], status.running)
            ready.add_metric([status.name], status.state is ModelState.READY)
        held = GaugeMetricFamily(
            "launcher_memory_bytes", "What a model holds of a device.", labels=["device", "model"]
        )
        budget = GaugeMetricFamily(
            "launcher_memory_budget_bytes", "What all models may hold of a device.", labels=["device"]
        )
        for use in self._manager.device_uses():
            budget.add_metric([use.device], use.budget_bytes)
            for model, held_bytes in use.held_bytes.items():
                held.add_metric([use.device, model], held_bytes)
        yield from (waiting, running, ready, held, budget)
