"""`manage.py listen` as a process of its own, with settings that name no database."""

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from webhooks.http.signing import generate_secret, signed_headers

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
import django
from django.conf import settings
settings.configure()
django.setup()
from webhooks.management.commands.listen import Command
Command().run_from_argv(["manage.py", "listen", *sys.argv[1:]])
"""
BODY = '{"type": "normalization.completed", "merchant": {"name": "Café \\u001b[2J"}}'.encode()


class Listening:
    """A running command; `port` is the one it says that it listens on."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process = process
        self.port = port

    def send(self, headers: dict[str, str], path: str = "/", body: bytes = BODY) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("POST", path, body, headers)
            return connection.getresponse().status

    def end(self, number: int) -> str:
        """Signal it and return what it has printed."""
        self.process.send_signal(number)
        printed, _ = self.process.communicate(timeout=20)
        return printed


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "--port", "0", *arguments],
        cwd=ROOT,
        env={"PATH": "", "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@contextmanager
def listen(*arguments: str) -> Iterator[Listening]:
    process = start(*arguments)
    try:
        stream = process.stderr if "--json" in arguments else process.stdout
        assert stream is not None
        line = stream.readline()
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert match, line
        yield Listening(process, int(match[1]))
    finally:
        process.kill()
        process.communicate()


def signed(secret: str, message_id: str = "msg_1", body: bytes = BODY) -> dict[str, str]:
    return signed_headers(
        secrets=[secret], message_id=message_id, timestamp=int(time.time()), body=body
    )


def test_json_lines() -> None:
    secret, other = generate_secret(), generate_secret()
    with listen("--json", "--secret", secret, "--secret", other, "--status", "503") as listening:
        assert listening.send(signed(other), "/hook?a=1") == 503
        listening.send(signed(generate_secret()), "/hook?a=1")
        listening.send({}, "/other", b"\xff not JSON")
        lines = [json.loads(line) for line in listening.end(signal.SIGTERM).splitlines()]
        assert listening.process.returncode == 0
    first, second, third = lines
    assert set(first) >= {"received_at", "path", "webhook_id", "timestamp", "verified"} | {
        "duplicate",
        "status_answered",
        "type",
        "body",
    }
    assert first["path"] == "/hook?a=1"
    assert first["webhook_id"] == "msg_1"
    assert abs(first["timestamp"] - time.time()) < 60
    assert (first["verified"], first["duplicate"]) == (True, False)
    assert first["status_answered"] == 503
    assert first["type"] == "normalization.completed"
    assert first["body"] == json.loads(BODY)
    assert (second["verified"], second["duplicate"]) == (False, True)
    assert second["reason"]
    assert (third["type"], third["webhook_id"], third["duplicate"]) == (None, None, False)
    assert third["body"].endswith("not JSON")


def test_without_a_secret_verified_is_null() -> None:
    with listen("--json") as listening:
        listening.send(signed(generate_secret()))
        (line,) = listening.end(signal.SIGINT).splitlines()
        assert listening.process.returncode == 0
    assert json.loads(line)["verified"] is None


def test_the_terminal_shows_what_came() -> None:
    secret = generate_secret()
    with listen("--secret", secret) as listening:
        for headers in (signed(secret), signed(secret), signed(generate_secret(), "msg_2")):
            listening.send(headers, "/hook")
        printed = listening.end(signal.SIGINT)
        assert listening.process.returncode == 0
    assert printed.count("normalization.completed  ✓ verified") == 2
    assert printed.count("✗ not verified: No matching signature found") == 1
    assert printed.count("  duplicate") == 1
    assert "merchant: Café" in printed
    assert "id msg_2" in printed
    assert "3 received, 1 not verified, 1 duplicates." in printed
    assert "\x1b" not in printed
    assert secret not in printed


def test_a_delay_holds_the_answer_back() -> None:
    with (
        listen("--json", "--delay", "60") as listening,
        closing(http.client.HTTPConnection("127.0.0.1", listening.port, timeout=0.3)) as connection,
    ):
        connection.request("POST", "/", BODY)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        assert listening.process.stdout is not None
        assert json.loads(listening.process.stdout.readline())["status_answered"] == 200
        listening.end(signal.SIGTERM)
        assert listening.process.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--secret", "whsec_!"),
        ("--secret", ""),
        ("--status", "42"),
        ("--delay", "-1"),
        ("--port", "99999"),
    ],
)
def test_an_unusable_option_is_refused_in_a_sentence(arguments: tuple[str, str]) -> None:
    process = start(*arguments)
    _, error = process.communicate(timeout=20)
    assert process.returncode != 0
    assert "Traceback" not in error
    assert "CommandError" in error or "error:" in error.lower()
