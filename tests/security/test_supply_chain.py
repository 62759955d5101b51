"""What is installed is what was compiled: each package in one version, by its hash."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [*ROOT.glob("requirements*.txt"), ROOT / "benchmarks" / "requirements.txt"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_package_is_installed_by_its_hash(path):
    lines = path.read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in lines if line and not line.lstrip().startswith("#")]
    assert packages
    for line in packages:
        assert "==" in line, line
        assert "--hash=sha256:" in line, line


def test_the_image_takes_nothing_without_a_hash():
    installing = [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if "pip install" in line
    ]
    assert installing
    assert all("--require-hashes" in line for line in installing)
