"""The built-in models on LMDeploy's engines, with a budget that holds one of them awake and the others
asleep."""

from __future__ import annotations

from typing import Any

from launcher.devices import read_devices
from launcher.presets import read_presets
from launcher.readiness import assess, installed_engines
from launcher.workers.manager import Manager
from launcher.workers.runnable import runnable_models

ENGINES = {"shapes-internvl2": "turbomind", "shapes-xcomposer2": "pytorch", "tiny-chat": "turbomind"}


def crowded_manager(**keys: Any) -> Manager:
    """Needs an NVIDIA GPU and LMDeploy; ``keys`` go to the manager."""
    devices, installed, catalog = read_devices(), installed_engines(), read_presets()
    presets = [catalog.find(name).model_copy(update={"engine": engine}) for name, engine in ENGINES.items()]
    found = [assess(preset, devices, installed) for preset in presets]
    plans = [readiness.plan for readiness in found if readiness.plan is not None]
    budget = max(plan.peak_bytes for plan in plans) + 2 * max(plan.asleep_bytes for plan in plans)
    budgets = {gpu.uuid: budget for gpu in devices.gpus}
    return Manager(runnable_models(found), gpu_budget_bytes=budgets, **keys)
