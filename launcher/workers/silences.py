"""How long a worker has said nothing."""

from __future__ import annotations

from launcher.workers.limits import STEP_S
from launcher.workers.protocol import Failed, FromWorker, Progressed, Ready, Said, Slept, StandingBy, Words


class Silences:
    """Seconds since a worker's last sign of life and last news, as they passed while this process ran."""

    def __init__(self, now_s: float) -> None:
        self._seen_s = now_s
        self.no_beat_s = 0.0
        self.no_news_s = 0.0
        self.stopping_s = 0.0

    def heard(self, message: FromWorker) -> None:
        """Anything is a sign of life; progress, words and ends are news."""
        self.no_beat_s = 0.0
        if isinstance(message, (StandingBy, Progressed, Ready, Slept, Words, Said, Failed)):
            self.no_news_s = 0.0

    def step(self, now_s: float, *, expecting: bool, stopping: bool) -> None:
        """Lets the time since the last step pass, at most STEP_S: a launcher that was suspended has heard
        nothing meanwhile."""
        passed_s = min(now_s - self._seen_s, STEP_S)
        self._seen_s = now_s
        self.no_beat_s += passed_s
        self.no_news_s = self.no_news_s + passed_s if expecting else 0.0
        self.stopping_s += passed_s if stopping else 0.0
