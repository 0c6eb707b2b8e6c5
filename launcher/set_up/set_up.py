"""Installs a locked set of packages into the virtual environment whose Python runs this.

    python -m launcher.set_up.set_up cpu     what the page needs where there is no NVIDIA GPU
    python -m launcher.set_up.set_up gpu     what it needs where there is one: LMDeploy and CUDA
    python -m launcher.set_up.set_up dev     what the tests need, on top of either

``make setup`` and ``make setup-dev`` call it. It begins with nothing installed, and so with the standard
library alone. uv installs, in a fraction of pip's time and showing what comes; pip fetches uv.

PyTorch's package on the ordinary index is built for CUDA. The CPU build is looked for in the configured
indexes, then in PyTorch's own (``TORCH_INDEX`` names another); only where neither has it, the CUDA build
comes, with the libraries that it cannot be imported without (requirements-cuda.lock).
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.set_up.uv_settings import pip_settings, uv_environment

ROOT = Path(__file__).resolve().parents[2]
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
LOOK_LIMIT_S = 40
"""How long an index may take to say whether it has PyTorch's CPU build."""


@dataclass(frozen=True)
class Size:
    """What a set costs, in GB (10^9 bytes); docs/measurements.md has the commands that gave the figures."""

    download: float
    disk: float

    def __str__(self) -> str:
        return f"{self.download} GB to download, {self.disk} GB on disk"

    @property
    def chinese(self) -> str:
        """The same in Chinese."""
        return f"下载 {self.download} GB，占用磁盘 {self.disk} GB"


SIZES = {
    "cpu": Size(0.4, 1.5),
    "gpu": Size(4.6, 9.0),
    "dev": Size(0.2, 0.7),
}
WITH_CUDA_BUILD = Size(2.5, 4.4)
"""The set for the CPU with the CUDA build of PyTorch."""


class SetUpError(Exception):
    """What this machine lacks for the set, and what to type instead, in English and Chinese."""


def main() -> int:
    """Installs the set that the command line names.

    Returns:
        0, or what the failed program returned, or 2 where this machine cannot take the set.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("set", choices=tuple(SIZES))
    parser.add_argument("--project", type=Path, default=ROOT, help="the folder with the lock files")
    arguments = parser.parse_args()
    try:
        Installer(arguments.project, os.environ).install(arguments.set)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        say(
            "The set-up was cut off. Packages that have come are kept: type the same again to go on.",
            "安装中断。已下载完的软件包会保留，再输入一次同样的命令即可继续。",
        )
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


class Installer:
    """Installs the sets of a project's lock files. A program that fails is a CalledProcessError."""

    def __init__(self, project: Path, environ: Mapping[str, str]) -> None:
        self._project = project
        self._torch_index = environ.get("TORCH_INDEX") or TORCH_INDEX
        self._environment = uv_environment(environ, pip_settings())

    def install(self, name: str) -> None:
        """Installs a set by its name; SetUpError where the machine cannot take it."""
        say(
            f"Installing the {name} set once: {SIZES[name]} …",
            f"正在安装 {name} 依赖（仅此一次）：{SIZES[name].chinese} …",
        )
        self._uv_itself()
        {"cpu": self._cpu, "gpu": self._gpu, "dev": self._dev}[name]()

    def _cpu(self) -> None:
        self._check_room(SIZES["cpu"])
        locks = ["requirements-cpu.lock"]
        if not self._cpu_torch():
            self._check_room(WITH_CUDA_BUILD)
            locks.append("requirements-cuda.lock")
        self._add(*(f"--requirements={lock}" for lock in locks))
        self._add("--editable=.")

    def _gpu(self) -> None:
        self._check_room(SIZES["gpu"])
        self._add(self._pin("requirements-gpu.lock", "nvidia-ml-py"), "--quiet")
        importlib.invalidate_caches()
        check_gpus()
        self._add("--requirements=requirements-gpu.lock")
        self._add("--editable=.")

    def _dev(self) -> None:
        self._add("--requirements=requirements-dev.lock")
        if not _installed("lmdeploy"):  # it can be imported without what it wants of CUDA
            self._add(self._pin("requirements-gpu.lock", "lmdeploy"))

    def _uv_itself(self) -> None:
        pin = self._pin("requirements-dev.lock", "uv")
        if f"uv=={_installed('uv')}" != pin:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", pin]
            subprocess.run(command, check=True)

    def _cpu_torch(self) -> bool:
        """Installs PyTorch's CPU build, or says why not and what comes instead."""
        wanted = f"{self._pin('requirements-cpu.lock', 'torch')}+cpu"
        if f"torch=={_installed('torch')}" == wanted:
            return True
        reason = ""
        for index in ([], [f"--default-index={self._torch_index}"]):
            reason = self._why_not(wanted, *index)
            if not reason:
                self._add(wanted, *index)
                return True
        say(
            f"PyTorch's CPU build cannot be had from {self._torch_index} ({reason})."
            f" Its CUDA build comes instead, which works without a GPU, too: {WITH_CUDA_BUILD}. For the small"
            " one, stop with Ctrl-C and name a mirror of that index: make setup TORCH_INDEX=https://…",
            f"改为安装 PyTorch 的 CUDA 版（没有显卡也能用）：{WITH_CUDA_BUILD.chinese}。\n"
            "若要安装较小的 CPU 版，请按 Ctrl-C 停止，并指定该索引的镜像：\n"
            "make setup TORCH_INDEX=https://…",
        )
        return False

    def _why_not(self, wanted: str, *index: str) -> str:
        """Why the package cannot be had from the index, in uv's words; "" where it can."""
        try:
            looked = subprocess.run(
                self._command(wanted, *index, "--dry-run"), cwd=self._project,
                env=self._environment | {"UV_HTTP_TIMEOUT": "10", "UV_HTTP_RETRIES": "1"},
                capture_output=True, text=True, check=False, timeout=LOOK_LIMIT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no answer within {LOOK_LIMIT_S} s"
        return _last_reason(looked.stderr) if looked.returncode else ""

    def _check_room(self, size: Size) -> None:
        """Raises SetUpError where a first installation would fill the disk."""
        free = shutil.disk_usage(sys.prefix).free / 1e9
        if free < size.disk and not _installed("gradio"):
            raise SetUpError(
                f"The disk of {sys.prefix} has {free:.1f} GB free;\n"
                f"{size.disk} GB are needed. Make room, or put the environment on another disk:\n"
                "make setup VENV=/another/disk/venv\n"
                f"{sys.prefix} 所在的磁盘剩余 {free:.1f} GB，需要 {size.disk} GB。\n"
                "请腾出空间，或用上面的命令把环境放到另一块磁盘。"
            )

    def _add(self, *what: str) -> None:
        subprocess.run(self._command(*what), env=self._environment, cwd=self._project, check=True)

    def _command(self, *what: str) -> list[str]:
        uv = [sys.executable, "-m", "uv", "pip", "install", "--no-config", "--no-deps"]
        return [*uv, f"--python={sys.executable}", *what]

    def _pin(self, lock: str, package: str) -> str:
        lines = (self._project / lock).read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith(f"{package}=="))


def check_gpus() -> None:
    """Raises SetUpError where there is an NVIDIA driver, and no GPU of it can run LMDeploy.

    Where there is no driver at all, the set was asked for by name, as for an image: that is no fault.
    """
    from launcher.devices import read_gpus  # needs nvidia-ml-py
    from launcher.errors import DeviceError
    from launcher.gpu_support import check_gpu

    reasons = []
    try:
        for gpu in read_gpus():
            try:
                check_gpu(gpu.name, gpu.compute_capability, gpu.cuda_driver)
            except DeviceError as error:
                reasons.append(error)
            else:
                return
    except DeviceError as error:
        reasons.append(error)
    if not reasons and not shutil.which("nvidia-smi") and not Path("/proc/driver/nvidia/version").exists():
        return
    found = f"{reasons[0].message} {reasons[0].hint}" if reasons else "The NVIDIA driver lists no GPU here."
    raise SetUpError(
        f"LMDeploy would not run on this machine's GPU.\n{found}\n"
        f"To run on the CPU instead ({SIZES['cpu']}): make serve-vl SET=cpu\n"
        "LMDeploy 无法在本机的 GPU 上运行（原因见上）。"
        f"改用 CPU（{SIZES['cpu'].chinese}）：make serve-vl SET=cpu"
    )


def say(english: str, chinese: str) -> None:
    """Prints both, at once: what follows may take minutes."""
    print(f"{textwrap.fill(english, 79, break_long_words=False)}\n{chinese}", flush=True)


def _last_reason(errors: str) -> str:
    """uv's first cause, which it names last, on one line."""
    return " ".join(re.split(r"cause: |╰─▶", errors)[-1].split())[:300]


def _installed(package: str) -> str | None:
    """Its version in this environment."""
    importlib.invalidate_caches()
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
