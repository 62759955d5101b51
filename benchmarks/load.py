"""A load generator: so many connections, each posting as fast as it is answered.

``python -m benchmarks.load`` in a process of its own, with the load as JSON on standard input; it
prints what came of it as JSON. It speaks just enough HTTP/1.1 to take as little of the machine as
it can; the server under test needs the rest.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A connection is replaced after so long, so that how the server's processes happen to share them
# evens out within a measurement.
LIFETIME_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Load:
    """What is posted.

    Args:
        host: Address of the server, on loopback.
        port: Its port.
        path: Where to.
        bodies: JSON texts, posted in turn.
        headers: Beside those of the body.
        connections: How many at a time.
        seconds: For how long.
        per_second: Post no more than so many in sum; 0 for as many as the server takes.
    """

    host: str
    port: int
    path: str
    bodies: list[str]
    headers: dict[str, str] = field(default_factory=dict)
    connections: int = 2
    seconds: float = 5.0
    per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a load."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    failures: int

    @property
    def per_second(self) -> float:
        """Requests answered with success per second."""
        return (self.requests - self.failures) / self.seconds


def put(load: Load) -> Answered:
    """Put ``load`` on the server from another process, and return what came of it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(load)),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return Answered(**json.loads(done.stdout))


async def _drive(load: Load) -> Answered:
    requests = [_request(load, body) for body in load.bodies]
    times: list[float] = []
    failures = 0
    begun = time.perf_counter()
    end = begun + load.seconds

    async def connection(number: int) -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection(load.host, load.port)
        # Not all at the same time.
        renewed = begun + LIFETIME_SECONDS * (number + 1) / load.connections
        pause = load.connections / load.per_second if load.per_second else 0.0
        due = begun + pause * number / load.connections
        at = number
        while (now := time.perf_counter()) < end:
            if pause:
                if due > now:
                    await asyncio.sleep(due - now)
                due += pause
            sent = time.perf_counter()
            writer.write(requests[at % len(requests)])
            at += load.connections
            status, keep = await _answer(reader)
            times.append(time.perf_counter() - sent)
            failures += not 200 <= status < 300
            if not keep or now > renewed:
                writer.close()
                reader, writer = await asyncio.open_connection(load.host, load.port)
                renewed = now + LIFETIME_SECONDS
        writer.close()

    await asyncio.gather(*(connection(number) for number in range(load.connections)))
    seconds = time.perf_counter() - begun
    times.sort()
    return Answered(
        requests=len(times),
        seconds=seconds,
        p50_ms=1000 * times[len(times) // 2],
        p99_ms=1000 * times[min(len(times) - 1, len(times) * 99 // 100)],
        worst_ms=1000 * times[-1],
        failures=failures,
    )


def _request(load: Load, body: str) -> bytes:
    data = body.encode()
    lines = [
        f"POST {load.path} HTTP/1.1",
        f"Host: {load.host}",
        "Content-Type: application/json",
        f"Content-Length: {len(data)}",
        *(f"{name}: {value}" for name, value in load.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bool]:
    """Read one answer; return its status, and whether the connection stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.find(b"content-length:")
    length = int(lower[start + 15 : lower.index(b"\r\n", start)]) if start >= 0 else 0
    if length:
        await reader.readexactly(length)
    return int(head[9:12]), b"connection: close" not in lower


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_drive(Load(**json.load(sys.stdin)))))))
