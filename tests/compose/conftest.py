"""docker-compose.yml, run by a Docker engine.

Only `make test-compose` collects these tests: they need Docker, or root and Debian's packages.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.stack import ROOT

collect_ignore_glob = [] if os.environ.get("PAVE_TEST_COMPOSE") else ["test_*.py"]

HERE = Path(__file__).parent
# What the project's files need of a checkout; .dockerignore lets into the image what it needs.
FILES = (
    *("docker-compose.yml", "Dockerfile", ".dockerignore", ".env.example", "requirements.txt"),
    *("manage.py", "LICENSE", "pave", "webhooks", "merchants", "docs/ops"),
)
KEPT = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG")
# Where no registry can be reached, all images are made of one release of Debian.
DEBIAN = "trixie"
PYTHON = "3.13"
PACKAGES = (
    *("ca-certificates", "docker-compose", "python3", "python3-venv", "python-is-python3"),
    *("postgresql-17", "redis-server", "nginx-light"),
)
STAND_INS = {
    "python": "python:3.12-slim",
    "postgres": "postgres:17-alpine",
    "redis": "redis:7-alpine",
    "nginx": "nginx:1.28-alpine",
}


class Project:
    """A copy of what an operator has, and `docker compose` in it.

    Args:
        folder: The copy.
        compose: The command.
        environ: Its environment.
    """

    def __init__(self, folder: Path, compose: list[str], environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._compose = compose
        self._environ = environ

    def run(self, *arguments: str) -> str:
        """Run a command of compose and return what it prints."""
        command = [*self._compose, "--ansi=never", "--progress=plain", *arguments]
        return _output(command, cwd=self.folder, env=self._environ)

    def logs(self, service: str) -> str:
        """Return all that a service has written."""
        return self.run("logs", "--no-log-prefix", service)

    def exit_codes(self) -> dict[str, str]:
        """Return the exit code of each service that has ended."""
        listed = self.run("ps", "--all", "--format", "{{.Service}} {{.State}} {{.ExitCode}}")
        ended = (line.split() for line in listed.splitlines())
        return {service: code for service, state, code in ended if state == "exited"}


def wait_until(look: Callable[[], Any], seconds: float) -> Any:
    """Return what ``look`` gives as soon as that is true."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"nothing for {seconds} s"
        time.sleep(0.5)
    return found


def free_port() -> int:
    """Return a port of this machine that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _output(command: list[str], **how: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **how)
    assert done.returncode == 0, f"{command}\n{done.stdout[-5000:]}\n{done.stderr[-5000:]}"
    return done.stdout


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@contextmanager
def _engine(folder: Path) -> Iterator[str]:
    """Run a Docker engine of our own, and give its address."""
    address = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--host", address, "--data-root", f"{folder}/data"]
    command += ["--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid"]
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: _works("docker", "--host", address, "info"), 60)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _mirror() -> str:
    """Return where this machine gets Debian's packages."""
    listed = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"]
    release = _output(["sh", "-c", ". /etc/os-release; echo $VERSION_CODENAME"]).strip()
    lines = map(str.split, _output([*listed, "Created-By: Packages"]).splitlines())
    return next(url for url, name in lines if name == release)


def _make_images(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """Make the images that are named; return compose's command, which comes with the packages."""
    root = folder / "root.tar"
    options = ["--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    _output(["mmdebstrap", *options, DEBIAN, str(root), f"deb {_mirror()} {DEBIAN} main"])
    plugin = "./usr/libexec/docker/cli-plugins/docker-compose"
    _output(["tar", "--extract", "--file", str(root), "--directory", str(folder), plugin])
    _output(["docker", "import", str(root), "debian-packages"], env=environ)
    root.unlink()
    context = folder / "context"
    context.mkdir()
    for name in ("Dockerfile", "postgres.sh", "redis.sh"):
        shutil.copy(HERE / name, context)
    wheels = ["--only-binary", ":all:", "--python-version", PYTHON, "--dest", f"{context}/wheels"]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", *wheels]
    _output([*pip, "--require-hashes", "--requirement", str(ROOT / "requirements.txt")])
    for target, tag in STAND_INS.items():
        build = ["docker", "build", "--target", target, "--tag", tag, str(context)]
        _output(build, env={**environ, "DOCKER_BUILDKIT": "0"})
    return [str(folder / plugin)]


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Compose's command and its environment: of this machine's Docker, or of one started here."""
    # Not the tests' own settings, which the compose file would take.
    ours = {name: os.environ[name] for name in KEPT if name in os.environ}
    if _works("docker", "info") and _works("docker", "compose", "version"):
        yield ["docker", "compose"], ours
        return
    folder = tmp_path_factory.mktemp("docker")
    with _engine(folder) as address:
        environ = {**ours, "DOCKER_HOST": address}
        yield _make_images(folder, environ), environ


@contextmanager
def project_in(
    docker: tuple[list[str], dict[str, str]], folder: Path, name: str, **settings: str
) -> Iterator[Project]:
    compose, environ = docker
    for path in FILES:
        source, target = ROOT / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    project = Project(folder, compose, {**environ, "COMPOSE_PROJECT_NAME": name, **settings})
    try:
        yield project
    except BaseException:
        print(project.run("logs", "--tail=100"))  # noqa: T201 - pytest shows it with a failure
        raise
    finally:
        project.run("--profile", "*", "down", "--volumes")


@pytest.fixture(scope="session")
def sample(
    docker: tuple[list[str], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, str]]:
    """What `docker compose up` gives without an .env, and where its web server is."""
    published = f"127.0.0.1:{free_port()}"
    folder = tmp_path_factory.mktemp("sample")
    with project_in(docker, folder, "pave-test-sample", PAVE_PUBLISH=published) as project:
        project.run("up", "--build", "--detach")
        yield project, f"http://{published}"
