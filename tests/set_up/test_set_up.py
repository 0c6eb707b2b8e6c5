"""The set-up as ``make`` runs it, in fresh virtual environments, with indexes that are folders on this disk:
toy wheels stand for PyTorch's builds. pip and uv are the real ones."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from launcher.devices import Gpu
from launcher.gpu_support import MIN_DRIVER
from launcher.set_up import set_up
from launcher.set_up.uv_settings import uv_environment

ROOT = Path(__file__).resolve().parent.parent.parent
UV = importlib.metadata.version("uv")


def wheel(folder: Path, name: str, version: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as packed:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            packed.writestr(path, text)


def index(folder: Path, **wheels: str) -> str:
    """A package index in a folder, as pip and PyTorch's host lay theirs out; its address."""
    folder.mkdir()
    for name, version in wheels.items():
        wheel(folder / name, name, version)
        links = "".join(f'<a href="{each.name}">{each.name}</a>' for each in (folder / name).iterdir())
        (folder / name / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    return folder.as_uri()


class Machine:
    """A stranger's machine: a home without settings, a virtual environment with pip and uv, a toy project."""

    def __init__(self, folder: Path, fresh: Path) -> None:
        self.folder = folder
        self.project = folder / "project"
        self.project.mkdir()
        (self.project / "requirements-cpu.lock").write_text("rest==1.0\ntorch==2.13.0\n")
        (self.project / "requirements-cuda.lock").write_text("cublas==13.0\n")
        (self.project / "requirements-dev.lock").write_text(f"uv=={UV}\n")
        (self.project / "pyproject.toml").write_text('[project]\nname = "toy"\nversion = "1.0"\n')
        self.environment = {
            "HOME": str(folder), "PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull,
            "XDG_CONFIG_DIRS": str(folder), "TORCH_INDEX": (folder / "nowhere").as_uri(),
        }  # fmt: skip
        shutil.copytree(fresh, folder / "venv", symlinks=True)
        self.python = folder / "venv" / "bin" / "python"

    def set_up(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-m", "launcher.set_up.set_up", name, "--project", self.project],
            cwd=ROOT, env=self.environment | {"UV_NO_BUILD_ISOLATION": "1"} | variables,
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    def torch(self) -> str:
        command = [self.python, "-c", "import torch, rest; print(torch.VERSION)"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with pip, and with packages of these tests, as nothing is downloaded here. Copies
    of it are environments of their own: Python goes by where its program lies."""
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=300)
    (site,) = (venv / "lib").glob("python*/site-packages")
    for package in ("uv", "setuptools"):
        distribution = importlib.metadata.distribution(package)
        for file in distribution.files or ():
            source = Path(str(distribution.locate_file(file)))
            if ".." not in file.parts and source.is_file():
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, site / file)
    shutil.copy2(Path(sys.executable).parent / "uv", venv / "bin" / "uv")
    return venv


@pytest.fixture
def machine(tmp_path: Path, fresh: Path) -> Machine:
    return Machine(tmp_path, fresh)


def test_the_cpu_build_comes_from_pytorchs_index(machine: Machine) -> None:
    ordinary = index(machine.folder / "ordinary", torch="2.13.0", rest="1.0", cublas="13.0")
    pytorch = index(machine.folder / "pytorch", torch="2.13.0+cpu")
    done = machine.set_up("cpu", PIP_INDEX_URL=ordinary, TORCH_INDEX=pytorch)
    assert done.returncode == 0, done.stderr
    assert machine.torch() == "2.13.0+cpu"
    assert str(set_up.SIZES["cpu"]) in done.stdout
    assert "CUDA" not in done.stdout
    again = machine.set_up("cpu", PIP_INDEX_URL=ordinary)  # PyTorch's index is gone: the build stays
    assert (again.returncode, machine.torch()) == (0, "2.13.0+cpu"), again.stderr


def test_without_it_the_cuda_build_comes_and_its_size_is_said(machine: Machine) -> None:
    ordinary = index(machine.folder / "ordinary", torch="2.13.0", rest="1.0", cublas="13.0")
    done = machine.set_up("cpu", PIP_INDEX_URL=ordinary)
    assert done.returncode == 0, done.stderr
    assert machine.torch() == "2.13.0"
    assert str(set_up.WITH_CUDA_BUILD) in " ".join(done.stdout.split())
    assert set_up.WITH_CUDA_BUILD.chinese in done.stdout
    assert all(len(line) <= 80 or "://" in line for line in done.stdout.splitlines())


def test_pips_files_are_read_for_a_mirror(machine: Machine) -> None:
    """The mirror has the CPU build, too, in a folder of wheels: nothing else is asked."""
    mirror = index(machine.folder / "mirror", rest="1.0")
    wheel(machine.folder / "wheels", "torch", "2.13.0+cpu")
    (machine.folder / "pip.conf").write_text(
        f"[global]\nindex-url = {mirror}\nfind-links = /nowhere {machine.folder / 'wheels'}\n"
    )
    done = machine.set_up("cpu", PIP_CONFIG_FILE=str(machine.folder / "pip.conf"))
    assert done.returncode == 0, done.stderr
    assert machine.torch() == "2.13.0+cpu"


def test_a_set_up_that_fails_says_how_it_goes_on(machine: Machine) -> None:
    done = machine.set_up("cpu", PIP_INDEX_URL=index(machine.folder / "ordinary", torch="2.13.0"))
    assert done.returncode != 0
    assert "rest" in done.stderr
    assert "type the same again" in done.stdout


def test_what_uv_is_told_goes_before_what_pip_is_told() -> None:
    pip = {"index-url": "https://pip/simple", "extra-index-url": "https://a https://b", "timeout": "180"}
    told = uv_environment({"UV_DEFAULT_INDEX": "https://uv/simple"}, pip)
    assert told["UV_DEFAULT_INDEX"] == "https://uv/simple"
    assert told["UV_INDEX"] == "https://a https://b"
    assert told["UV_HTTP_TIMEOUT"] == "180"
    assert "UV_DEFAULT_INDEX" not in uv_environment({"UV_INDEX_URL": "https://uv/simple"}, pip)


def test_the_gpu_is_looked_at_with_what_is_there_before_the_set() -> None:
    """The launcher's own facts and rules, without any package but NVML's."""
    program = (
        "import sys; before = set(sys.modules); import launcher.devices, launcher.gpu_support\n"
        "print(*{each.partition('.')[0] for each in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"launcher", "pynvml"}


@pytest.mark.parametrize(
    ("capability", "driver", "said"),
    [((6, 1), (13, 0), "compute capability 6.1"), ((8, 6), (12, 4), f"{MIN_DRIVER} or newer")],
)
def test_a_gpu_that_cannot_run_lmdeploy_is_refused_before_the_download(
    capability: tuple[int, int], driver: tuple[int, int], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Gpu("GTX", "GPU-1", 8 << 30, 8 << 30, capability, "550.1", driver)
    monkeypatch.setattr("launcher.devices.read_gpus", lambda: (card,))
    with pytest.raises(set_up.SetUpError, match="SET=cpu") as caught:
        set_up.check_gpus()
    assert said in str(caught.value)


def test_one_good_gpu_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    old, good = (Gpu("GTX", "GPU-1", 8 << 30, 8 << 30, each, "580", (13, 0)) for each in ((6, 1), (8, 6)))
    monkeypatch.setattr("launcher.devices.read_gpus", lambda: (old, good))
    set_up.check_gpus()


def test_a_driver_that_lists_no_gpu_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("launcher.devices.read_gpus", tuple)
    with pytest.raises(set_up.SetUpError, match="lists no GPU"):
        set_up.check_gpus()


def test_a_full_disk_is_told_before_anything_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**11, 10**11, 10**9))
    monkeypatch.setattr(set_up, "_installed", lambda _: None)
    monkeypatch.setattr(set_up.Installer, "_uv_itself", lambda _: None)
    with pytest.raises(set_up.SetUpError, match=r"1\.0 GB free"):
        set_up.Installer(tmp_path, {}).install("gpu")
