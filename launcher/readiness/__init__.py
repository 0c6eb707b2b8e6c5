"""Can a preset run on this machine, on which engine; if not, why, and what to type. Decides; starts and loads
nothing.

``standing`` is the answer, ``assessing`` finds it; ``device`` chooses where a checkpoint that is here runs,
``cards`` says which cards it may run on, ``absent`` what is said of one that is not here, ``installed`` which
engines' packages are.
"""

from launcher.readiness.absent import not_here
from launcher.readiness.assessing import assess, assess_facts
from launcher.readiness.cards import gpus_for
from launcher.readiness.installed import InstalledEngines, installed_engines
from launcher.readiness.standing import FIRST_GPU, GOES_ELSEWHERE, REMOTE, SLOW, Readiness, ReadyState

__all__ = [
    "FIRST_GPU",
    "GOES_ELSEWHERE",
    "REMOTE",
    "SLOW",
    "InstalledEngines",
    "Readiness",
    "ReadyState",
    "assess",
    "assess_facts",
    "gpus_for",
    "installed_engines",
    "not_here",
]
