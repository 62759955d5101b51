"""Commands on a machine where nothing is configured."""

import os
import subprocess
import sys

from tests.system.stack import ROOT


def run(*arguments):
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_demo_needs_no_settings():
    ran = run("demo", "--help")
    assert ran.returncode == 0, ran.stderr


def test_a_command_without_keys_says_what_to_set():
    ran = run("check")
    assert ran.returncode != 0
    assert ran.stderr.startswith("SECRET_KEY is not set")
    assert "DEBUG=true" in ran.stderr
    assert "Traceback" not in ran.stderr
