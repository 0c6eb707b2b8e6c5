"""Python, the packages, and whether they can be imported."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.specifiers import SpecifierSet

from launcher.commands_here import pip_install
from launcher.diagnosis.facts import Facts
from launcher.diagnosis.findings import Finding, Level
from launcher.diagnosis.models import usable
from launcher.diagnosis.requirements import GPU_PACKAGES, PACKAGES, PYTHON
from launcher.errors import MissingPart

PAGE_MODULE = "gradio"


def check_python(facts: Facts) -> Iterator[Finding]:
    """Whether this Python is one that the launcher is made for."""
    if facts.python in SpecifierSet(PYTHON):
        yield Finding("python", Level.OK, facts.python)
    else:
        mend = "Set the launcher up with another Python: make setup PYTHON=python3.11"
        yield Finding("python", Level.FAULT, f"{facts.python} is not {PYTHON}", mend, MissingPart.exit_code)


def check_packages(facts: Facts) -> Iterator[Finding]:
    """Whether all packages are here, in versions that the launcher is made for."""
    wrong = False
    for name, wanted in _wanted(facts).items():
        version = facts.versions.get(name)
        mend = f"Type: {pip_install(f'{name}{wanted}')}"
        if version is None:
            wrong = True
            yield Finding(name, Level.FAULT, "is not installed", mend, MissingPart.exit_code)
        elif not SpecifierSet(wanted).contains(version, prereleases=True):
            wrong = True
            yield Finding(
                name, Level.WARNING, f"{version} is not {wanted}, which the launcher is made for", mend
            )
    if not wrong:
        yield Finding("packages", Level.OK, f"all {len(_wanted(facts))} within the supported range")


def _wanted(facts: Facts) -> dict[str, str]:
    """The packages and ranges for this machine: LMDeploy's own only where it is installed and has a GPU."""
    if facts.versions.get("lmdeploy") is None or not facts.has_gpu:
        return PACKAGES
    both = PACKAGES.keys() | GPU_PACKAGES.keys()
    return {
        name: ",".join(filter(None, (PACKAGES.get(name), GPU_PACKAGES.get(name)))) for name in sorted(both)
    }


def check_imports(facts: Facts) -> Iterator[Finding]:
    """Whether large packages can be imported, and what PyTorch is built for."""
    works = bool(usable(facts))
    for module, probe in facts.probes.items():
        package = module.partition(".")[0]
        version = facts.versions.get(package) or "?"
        if probe.reason:
            needed = module == PAGE_MODULE or not works
            level, code = (Level.FAULT, MissingPart.exit_code) if needed else (Level.WARNING, 0)
            mend = f"Install it anew: {pip_install('--force-reinstall', f'{package}=={version}')}"
            yield Finding(module, level, f"{version} cannot be imported: {probe.reason}", mend, code)
        elif module == "torch":
            yield _torch(version, probe.cuda, has_gpu=facts.has_gpu)
        else:
            yield Finding(module, Level.OK, f"{version} can be imported")
    if facts.versions.get("lmdeploy") is None:
        yield _without_lmdeploy(facts)


def _torch(version: str, cuda: str, *, has_gpu: bool) -> Finding:
    if cuda:
        return Finding("torch", Level.OK, f"{version} can be imported, built for CUDA {cuda}")
    if has_gpu:
        build = pip_install("--force-reinstall", f"torch{GPU_PACKAGES['torch']}")
        mend = f"Install a build for CUDA: {build}"
        return Finding(
            "torch", Level.WARNING, f"{version} is built for the CPU and does not use the GPU", mend
        )
    return Finding("torch", Level.OK, f"{version} can be imported, built for the CPU")


def _without_lmdeploy(facts: Facts) -> Finding:
    if facts.has_gpu:
        mend = f"Type: {pip_install(*(f'{name}{GPU_PACKAGES[name]}' for name in ('lmdeploy', 'torch')))}"
        return Finding(
            "lmdeploy", Level.WARNING, "is not installed: the GPU is used through transformers, slower", mend
        )
    return Finding("lmdeploy", Level.OK, "is not installed, and needed only with an NVIDIA GPU")
