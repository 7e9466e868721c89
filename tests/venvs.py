"""Environments of their own for clients and tools that the project itself does not depend on.

Each is made once, below ``build/``, and used again until its packages change.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import sysconfig
from pathlib import Path

from places import ROOT

FOLDER = ROOT / "build" / "venvs"


def python_with(name: str, packages: tuple[str, ...], *, beside: bool = False) -> Path:
    """Return the Python of an environment that has these packages, and none that they ask for.

    `beside` adds what is installed here, so that TensorFlow is not there twice.
    """
    directory = environment_with(name, packages, dependencies=False, beside=beside)
    return directory / "bin" / "python"


def environment_with(
    name: str, packages: tuple[str, ...], *, dependencies: bool = True, beside: bool = False
) -> Path:
    """Return the directory of an environment with these packages, made if there is none yet."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    state = f"{sys.version}\n{packages}\n{dependencies}\n{beside}"
    directory = FOLDER / f"{name}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
    done = directory / "done"
    # Tests run in several processes.
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists():
            return directory
        made = [sys.executable, "-m", "venv", "--clear", "--without-pip", str(directory)]
        subprocess.run(made, check=True, capture_output=True)
        install(directory / "bin" / "python", packages, dependencies=dependencies)
        if beside:
            (site,) = directory.glob("lib/python*/site-packages")
            here = (sysconfig.get_path("purelib"), ROOT / "core", ROOT / "cli")
            (site / "beside.pth").write_text("".join(f"{path}\n" for path in here))
        done.touch()
    return directory


def install(python: Path, packages: tuple[str, ...], *, dependencies: bool = True) -> None:
    """Install packages for another Python, with uv: in a tenth of the time that pip takes."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python)]
    command += [] if dependencies else ["--no-deps"]
    subprocess.run([*command, *packages], check=True, capture_output=True)
