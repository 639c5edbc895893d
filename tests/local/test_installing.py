"""What a newcomer's machine may lack is said in one line."""

import os
import shutil
import subprocess

import pytest

from tests.local.conftest import REPOSITORY

SYSTEM = ("sh", "make", "cat", "grep", "sed", "tail", "touch")


@pytest.fixture
def machine(tmp_path):
    """A clone on a machine with make, the usual commands, and the Pythons that the test gives it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in SYSTEM:
        (programs / name).symlink_to(shutil.which(name))
    clone = tmp_path / "a clone"
    shutil.copytree(REPOSITORY / "requirements", clone / "requirements")
    shutil.copy(REPOSITORY / "Makefile", clone)

    def run(**pythons):
        for name, script in pythons.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        environment = {"PATH": str(programs), "HOME": str(tmp_path), "PIP_RETRIES": "0"}
        return subprocess.run(["make", "run"], cwd=clone, env=environment, capture_output=True, text=True, check=False)

    return run


def test_no_python(machine):
    assert the_line(machine()) == (
        "Ventana needs Python 3.11 or newer, and none was found. "
        "Install one, or say where it is: make run PYTHON=/path/to/python3"
    )


def test_an_old_python(machine):
    old = 'case "$*" in --version) echo Python 3.9.2;; *) exit 1;; esac'

    assert "and Python 3.9.2 was found" in the_line(machine(python3=old))


def test_a_python_without_venv(machine):
    bare = 'case "$*" in "-m venv"*) echo Traceback; exit 1;; esac'

    assert "apt-get install python3-venv" in the_line(machine(python3=bare))


@pytest.mark.parametrize(
    ("pip_says", "we_say"),
    [
        ("error: command 'gcc' failed: No such file or directory", "no compiler to build it"),
        ("NewConnectionError: Failed to establish a new connection", "could not be downloaded"),
        ("OSError: [Errno 28] No space left on device", "The disk is full"),
        ("ERROR: something new", "ERROR: something new"),
    ],
)
def test_a_failed_installation(machine, pip_says, we_say):
    # This Python makes a .venv whose pip always fails in the same way.
    failing = f"""case "$*" in
        "-m venv"*) /bin/mkdir -p .venv/bin; /bin/cp "$0" .venv/bin/python;;
        *"pip install"*) echo "{pip_says}"; exit 1;;
    esac"""

    line = the_line(machine(python3=failing))

    assert we_say in line
    assert ".venv/install.log" in line


def the_line(result):
    """The only line said besides progress and make's own."""
    assert result.returncode != 0
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    return line


def test_the_lists_carry_hashes_and_no_address():
    for name in ("base.txt", "test.txt"):
        text = (REPOSITORY / "requirements" / name).read_text()
        assert "://" not in text
        assert text.count("\n    --hash=") >= text.count("==")
    assert os.access(REPOSITORY / "requirements" / "install", os.X_OK)
