"""Programs of the system that a test drives: found, or installed where we may; never skipped."""

import os
import shutil
import subprocess

import pytest

INSTALL_SECONDS = 600
LOCK = ("-o", "DPkg::Lock::Timeout=300")
"""Two test processes at once take turns."""


def program(name: str, package: str) -> str:
    """Where `name` is, from the distribution's `package`; fails with the remedy if it cannot be."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update", "-qq"], ["install", "-y", "-qq", *LOCK, package]):
            subprocess.run(
                ["apt-get", *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                stdout=subprocess.DEVNULL,
                timeout=INSTALL_SECONDS,
                check=False,
            )
        found = shutil.which(name)
    if found is None:
        pytest.fail(f"needs {name}; install it (on Debian: sudo apt-get install {package})")
    return found
