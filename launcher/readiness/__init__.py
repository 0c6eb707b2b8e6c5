"""Can a preset run on this machine, on which engine; if not, why, and what to type. Decides; starts and loads
nothing.

``standing`` is the answer, ``assessing`` finds it; ``device`` chooses where a checkpoint that is here runs,
``cards`` says which cards it may run on, ``absent`` what is said of one that is not here, ``installed`` which
packages of engines and families are, ``planning`` its memory plan for the engine that they leave.
"""

from launcher.readiness.absent import not_here
from launcher.readiness.assessing import assess, assess_facts
from launcher.readiness.cards import gpus_for
from launcher.readiness.installed import COMPLETE, InstalledEngines, installed_engines
from launcher.readiness.planning import plan_here
from launcher.readiness.standing import FIRST_GPU, GOES_ELSEWHERE, REMOTE, SLOW, Readiness, ReadyState

__all__ = [
    "COMPLETE",
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
    "plan_here",
]
