"""What the locked sets cost to download, as the package index tells before anything comes.

    python -m launcher.set_up.set_sizes              the table
    python -m launcher.set_up.set_sizes --check      exit code 1 where the set-up says something else

It asks as a stranger does: with none of this machine's settings for pip and uv, for this machine's kind and
Python.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys

from launcher.set_up.set_up import ROOT, SIZES, WITH_CUDA_BUILD

CPU_TORCH_GB = 0.19
"""torch 2.13.0+cpu; PyTorch's own index is not asked, as it is not reached from everywhere."""
TOLERANCE_GB = 0.1
_LIMIT_S = 120
_SETTINGS = ("PIP_", "UV_")
_PACKAGE = re.compile(r'^name = "(?P<name>.+?)".*?size = (?P<size>\d+)', re.MULTILINE | re.DOTALL)
"""In a pylock.toml's package, its name and the bytes of the first wheel that fits."""


def main() -> int:
    """Prints the table; 1 where ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what the set-up says")
    arguments = parser.parse_args()
    cpu, cuda, gpu, dev = (_downloads(name) for name in ("cpu", "cuda", "gpu", "dev"))
    rows = {
        "cpu, PyTorch's CPU build": (_gb(cpu) - cpu["torch"] / 1e9 + CPU_TORCH_GB, SIZES["cpu"]),
        "cpu, PyTorch's CUDA build": (_gb(cpu) + _gb(cuda), WITH_CUDA_BUILD),
        "gpu": (_gb(gpu), SIZES["gpu"]),
        "dev, on top": (_gb(dev) + gpu["lmdeploy"] / 1e9, SIZES["dev"]),
    }
    for name, (found, said) in rows.items():
        print(f"{name:28} {found:.2f} GB; the set-up says {said}")
    wrong = any(abs(found - said.download) > TOLERANCE_GB for found, said in rows.values())
    return int(arguments.check and wrong)


def _downloads(lock: str) -> dict[str, int]:
    """The bytes of each package that a lock file would bring here, by its name."""
    command = [
        sys.executable, "-m", "uv", "pip", "compile", "-", "--no-config", "--no-deps", "--quiet",
        f"--python={sys.executable}", "--only-binary=:all:", "--format=pylock.toml",
    ]  # fmt: skip
    wanted = (ROOT / f"requirements-{lock}.lock").read_text(encoding="utf-8")
    told = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    asked = subprocess.run(
        command, input=wanted, env=told, stdout=subprocess.PIPE, text=True, check=True, timeout=_LIMIT_S
    )
    packages = (_PACKAGE.search(each) for each in asked.stdout.split("[[packages]]")[1:])
    return {found["name"]: int(found["size"]) for found in packages if found}


def _gb(downloads: dict[str, int]) -> float:
    return sum(downloads.values()) / 1e9


if __name__ == "__main__":
    sys.exit(main())
