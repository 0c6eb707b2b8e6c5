"""All rules, one after the other."""

from __future__ import annotations

from launcher.diagnosis.facts import Facts
from launcher.diagnosis.findings import Finding
from launcher.diagnosis.machine import (
    check_disks,
    check_driver,
    check_gpus,
    check_logs,
    check_port,
    check_proxies,
)
from launcher.diagnosis.models import check_models, check_presets
from launcher.diagnosis.packages import check_imports, check_packages, check_python


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every finding, in the order in which things build on each other."""
    return tuple(
        finding
        for check in (
            check_python,
            check_packages,
            check_driver,
            check_gpus,
            check_imports,
            check_presets,
            check_models,
            check_disks,
            check_proxies,
            check_port,
            check_logs,
        )
        for finding in check(facts)
    )
