"""What one sender process delivers, beside posts from as many threads without any bookkeeping.

The endpoint is fast and near. Pave claims, signs, posts, checks the address, writes the attempt
with its evidence and the delivery's end; the plain ones only post.
"""

from benchmarks.bench import Bench
from benchmarks.figures import Figure, Ratio, Report
from benchmarks.receiving import receiver
from benchmarks.sending import bare, prepare, send, tell

COUNT = 4000
WEBHOOKS = 40
MAX_IN_FLIGHT = 16
THREADS = 128


def run(bench: Bench, report: Report, *, count: int = COUNT) -> None:
    """Measure the three ways in turn."""
    pave = report.figure("Pave, one sender process", "/s")
    threads = report.figure(f"plain sessions in {THREADS} threads", "/s")
    alone = report.figure("one post at a time", "/s")
    memory = report.figure("Pave's peak memory", "MB")
    with receiver() as url:
        for _ in range(bench.rounds):
            with bench.database() as database, bench.stack(database) as stack:
                tell(
                    stack.environ,
                    prepare.__name__,
                    urls=[f"{url}/{number}" for number in range(WEBHOOKS)],
                    events=count // WEBHOOKS,
                    max_in_flight=MAX_IN_FLIGHT,
                )
                sent = tell(stack.environ, send.__name__, threads=THREADS)
                plain = {"url": f"{url}/plain"}
                _note(
                    threads,
                    tell(stack.environ, bare.__name__, count=count, threads=THREADS, **plain),
                )
                _note(
                    alone, tell(stack.environ, bare.__name__, count=count // 4, threads=1, **plain)
                )
            _note(pave, sent)
            memory.values.append(sent["memory_mb"])
    report.ratios += [
        Ratio(f"Pave / plain sessions in {THREADS} threads", pave, threads, at_least=0.5),
        Ratio("Pave / one post at a time", pave, alone),
    ]


def _note(figure: Figure, measured: dict[str, float]) -> None:
    figure.values.append(measured["count"] / measured["seconds"])
