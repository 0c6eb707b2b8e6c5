"""What is right with this machine, what is not, and what mends it: pure rules over facts that somebody else
has gathered.

A fault is what keeps ``launcher serve`` from showing a page on which at least one model answers; all else is
a warning.
"""

from launcher.diagnosis.facts import (
    TIGHT_MODEL_DISK_BYTES,
    TIGHT_UPLOAD_DISK_BYTES,
    Disk,
    Facts,
    Log,
    Probe,
)
from launcher.diagnosis.findings import Finding, Level, exit_code
from launcher.diagnosis.packages import PAGE_MODULE
from launcher.diagnosis.requirements import GPU_PACKAGES, PACKAGES, PYTHON
from launcher.diagnosis.rules import diagnose

__all__ = [
    "GPU_PACKAGES",
    "PACKAGES",
    "PAGE_MODULE",
    "PYTHON",
    "TIGHT_MODEL_DISK_BYTES",
    "TIGHT_UPLOAD_DISK_BYTES",
    "Disk",
    "Facts",
    "Finding",
    "Level",
    "Log",
    "Probe",
    "diagnose",
    "exit_code",
]
