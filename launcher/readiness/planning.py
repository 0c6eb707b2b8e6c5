"""The memory plan of a preset for the LMDeploy engine that it runs on with what is installed here."""

from __future__ import annotations

from functools import partial

from launcher.engine_costs import EngineKind
from launcher.engines import table
from launcher.errors import MemoryPlanError
from launcher.families import Family, ModelSizes
from launcher.four_bits import in_four_bits
from launcher.memory import Card, MemoryPlan, plan_memory
from launcher.presets import Preset
from launcher.readiness.installed import InstalledEngines, check_installed, installed_first


def plan_here(
    preset: Preset, family: Family, sizes: ModelSizes, *, card: Card, dtype: str, installed: InstalledEngines
) -> MemoryPlan:
    """The plan, which names its engine.

    Raises:
        DeviceError: no LMDeploy engine serves it.
        MemoryPlanError: it does not fit.
        MissingPart: it would fit on an engine that engine auto passed by, as packages of that are not here.
    """
    by_choice = installed_first(family, installed)
    smaller = partial(in_four_bits, preset, by_choice, sizes)

    def plan(engine: EngineKind) -> MemoryPlan:
        return plan_memory(preset.memory, sizes, engine, card, dtype, four_bits=smaller)

    def fits(engine: EngineKind) -> bool:
        try:
            plan(engine)
        except MemoryPlanError:
            return False
        return True

    engine = by_choice.engine(preset.engine_name, sizes)
    try:
        return plan(engine)
    except MemoryPlanError:
        passed_by = family.engine(preset.engine_name, sizes)
        if passed_by != engine and fits(passed_by):
            check_installed(preset, table.find(passed_by), family, installed)
        raise
