"""What is broken, each by a function of its own, and the schedule that a seed settles."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import psutil

from benchmarks.chaos.callers import Callers
from benchmarks.chaos.heuristic import DEAF, EXITS, HANGS, LEAKS, RAISES
from benchmarks.chaos.plant import CLIENTS, Plant
from benchmarks.chaos.receiver import BUSY, ENDLESS, ERROR, GONE, HANG, REFUSE, RESET, WELL

# In seconds.
_CLOCKS = (90, -90, 10_800, -10_800, 0)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault may lay its hands on."""

    plant: Plant
    callers: Callers
    dice: random.Random
    # How far the clock of a machine will be ahead, one after the other.
    clocks: Iterator[int] = field(default_factory=lambda: itertools.cycle(_CLOCKS))

    def queues(self) -> list[str]:
        """Return the queues that clusters work on."""
        rows = self.plant.rows("SELECT DISTINCT queue FROM operations_clusterbeat")
        return [queue for (queue,) in rows]

    def cluster(self) -> psutil.Process | None:
        """Return one of the running clusters."""
        clusters = self.plant.clusters()
        return clusters[self.dice.choice(sorted(clusters))] if clusters else None

    def part(self, kind: str) -> psutil.Process | None:
        """Return the pusher or the monitor of one of them, or one of its workers."""
        cluster = self.cluster()
        parts = self.plant.parts(cluster, kind) if cluster else []
        return self.dice.choice(parts) if parts else None

    def worker(self, *, busy: bool) -> psutil.Process | None:
        """Return a worker that has rows in its hands, or one that has none."""
        claimed = self.plant.claimed_by()
        workers = [worker for worker in self.plant.workers() if (worker.pid in claimed) == busy]
        return self.dice.choice(workers) if workers else None


Fault = Callable[[Scene], bool]


def _kill(process: psutil.Process | None, signum: signal.Signals = signal.SIGKILL) -> bool:
    if process is None:
        return False
    try:
        process.send_signal(signum)
    except psutil.Error:
        return False
    return True


def _freeze(scene: Scene, process: psutil.Process | None) -> bool:
    """Stop a process; if nobody has ended it by then, it wakes up again and knows nothing of it."""
    if not _kill(process, signal.SIGSTOP):
        return False
    thaw = threading.Timer(scene.dice.uniform(5, 40), _kill, (process, signal.SIGCONT))
    thaw.daemon = True
    thaw.start()
    return True


def busy_worker_killed(scene: Scene) -> bool:
    # Something slow, so that there is a busy one.
    scene.callers.post("acme", f"SLOW BUSY {scene.dice.random()}")
    end = time.monotonic() + 4
    while (worker := scene.worker(busy=True)) is None and time.monotonic() < end:
        time.sleep(0.05)
    return _kill(worker)


def idle_worker_killed(scene: Scene) -> bool:
    return _kill(scene.worker(busy=False))


def pusher_killed(scene: Scene) -> bool:
    return _kill(scene.part("pusher"))


def monitor_killed(scene: Scene) -> bool:
    return _kill(scene.part("monitor"))


def sentinel_killed(scene: Scene) -> bool:
    return _kill(scene.cluster())


def whole_cluster_killed(scene: Scene) -> bool:
    cluster = scene.cluster()
    if cluster is None:
        return False
    for process in [*cluster.children(recursive=True), cluster]:
        _kill(process)
    return True


def supervisor_killed(scene: Scene) -> bool:
    scene.plant.supervisor(scene.dice.choice(scene.plant.supervisors)).kill()
    return True


def supervisor_killed_with_all(scene: Scene) -> bool:
    # As the kernel does with a container that is out of memory.
    name = scene.dice.choice(scene.plant.supervisors)
    try:
        supervisor = psutil.Process(scene.plant.supervisor(name).pid)
        family = [supervisor, *supervisor.children(recursive=True)]
    except psutil.NoSuchProcess:  # it has just ended
        return False
    for process in family:
        _kill(process)
    return True


def supervisor_told_to_stop(scene: Scene) -> bool:
    scene.plant.supervisor(scene.dice.choice(scene.plant.supervisors)).terminate()
    return True


def worker_frozen(scene: Scene) -> bool:
    return _freeze(scene, scene.part("worker"))


def pusher_frozen(scene: Scene) -> bool:
    return _freeze(scene, scene.part("pusher"))


def sentinel_frozen(scene: Scene) -> bool:
    return _freeze(scene, scene.cluster())


def web_worker_killed(scene: Scene) -> bool:
    workers = scene.plant.web_workers()
    return _kill(scene.dice.choice(workers)) if workers else False


def web_workers_renewed(scene: Scene) -> bool:
    # As a deploy does: new workers are started, and old ones end after what they are at.
    scene.plant.web.send_signal(signal.SIGHUP)
    return True


def postgres_restarted(scene: Scene) -> bool:
    scene.plant.servers.restart_postgres()
    return True


def postgres_crashed(scene: Scene) -> bool:
    scene.plant.servers.crash_postgres()
    return True


def postgres_backend_killed(scene: Scene) -> bool:
    scene.plant.servers.kill_postgres_backend()
    return True


def postgres_frozen(scene: Scene) -> bool:
    scene.plant.servers.freeze_postgres(scene.dice.uniform(2, 6))
    return True


def postgres_sessions_only_read(scene: Scene) -> bool:
    """Let open sessions only read, and new ones write, as after a fail-over."""
    [[database]] = scene.plant.rows("SELECT quote_ident(current_database())")
    setting = "default_transaction_read_only"
    scene.plant.rows(f"ALTER DATABASE {database} SET {setting} = off")
    scene.plant.rows(f"ALTER SYSTEM SET {setting} = on")
    scene.plant.rows("SELECT pg_reload_conf()")
    time.sleep(scene.dice.uniform(2, 5))
    scene.plant.rows(f"ALTER SYSTEM RESET {setting}")
    scene.plant.rows(f"ALTER DATABASE {database} RESET {setting}")
    scene.plant.rows("SELECT pg_reload_conf()")
    return True


def postgres_failed_over(scene: Scene) -> bool:
    scene.plant.servers.fail_over()
    return True


def redis_restarted(scene: Scene) -> bool:
    scene.plant.servers.redis.kill()
    time.sleep(scene.dice.uniform(1, 4))
    scene.plant.servers.redis.start()
    return True


def redis_flushed(scene: Scene) -> bool:
    scene.plant.servers.redis.client.flushall()
    return True


def redis_frozen(scene: Scene) -> bool:
    scene.plant.servers.redis.freeze(scene.dice.uniform(2, 5))
    return True


def task_queue_filled(scene: Scene) -> bool:
    """Put in hundreds of tasks that nobody asked for, among them ones that cannot be read."""
    for queue in scene.queues():
        if scene.plant.broker == "redis":
            pipe = scene.plant.servers.redis.client.pipeline()
            for number in range(300):
                pipe.rpush(f"django_q:{queue}:q", f"forged:{number}")
            pipe.execute()
        else:
            scene.plant.rows(
                "INSERT INTO django_q_ormq (key, payload, lock)"
                " SELECT %s, 'forged:' || n, now() FROM generate_series(1, 300) n",
                queue,
            )
    return True


def task_queue_emptied(scene: Scene) -> bool:
    if scene.plant.broker == "redis":
        lists = [f"django_q:{queue}:q" for queue in scene.queues()]
        scene.plant.servers.redis.client.delete(*lists)
    else:
        scene.plant.rows("DELETE FROM django_q_ormq")
    return True


def retries_due_at_once(scene: Scene) -> bool:
    scene.plant.hasten()
    return True


def _endpoint(how: str) -> Fault:
    def fault(scene: Scene) -> bool:
        scene.plant.endpoint.behave(how)
        time.sleep(scene.dice.uniform(2, 5))
        scene.plant.endpoint.behave(WELL)
        return True

    return fault


def endpoint_gone(scene: Scene) -> bool:
    """Have webhooks disabled by 410, of which a mail tells staff, and enable them."""
    scene.plant.endpoint.behave(GONE)
    time.sleep(scene.dice.uniform(2, 5))
    scene.plant.calm()
    return True


def mail_server_silent(scene: Scene) -> bool:
    """Change a webhook's URL, of which a mail is to tell its client, and let nobody take it."""
    mail_server, client_id = scene.plant.mail_server, scene.dice.choice(CLIENTS)
    url = f"{scene.plant.endpoint.url(client_id)}?{scene.dice.randrange(10**9)}"
    mail_server.silent, before = True, mail_server.kept_waiting
    try:
        route = f"webhooks/{scene.plant.webhooks[client_id]}"
        changed = scene.plant.call(client_id, "PATCH", route, {"url": url})
        scene.plant.hasten()
        end = time.monotonic() + 10
        while mail_server.kept_waiting == before and time.monotonic() < end:
            time.sleep(0.1)
        # Else a mail could not be sent shortly before, and none was tried.
        return changed == HTTPStatus.OK and mail_server.kept_waiting > before
    finally:
        mail_server.silent = False


def recoveries_asked_for(scene: Scene) -> bool:
    """Ask for many recoveries, as a loop that somebody forgot does."""
    client_id = scene.dice.choice(CLIENTS)
    route = f"webhooks/{scene.plant.webhooks[client_id]}/recover"
    for _ in range(100):
        scene.plant.call(client_id, "POST", route, {"since": "2026-01-01T00:00:00Z"})
    return True


def messages_retried(scene: Scene) -> bool:
    """Retry failed messages, each twice at once, while senders claim them; they fail again."""
    scene.plant.endpoint.behave(ERROR)
    for number in range(60):
        scene.callers.post(scene.dice.choice(CLIENTS), f"SHOP {number}")
    waiting = scene.plant.rows(
        "SELECT d.id, c.client_id FROM webhooks_delivery d"
        " JOIN webhooks_webhook w ON w.id = d.webhook_id"
        " JOIN clients_client c ON c.id = w.client_id"
        " WHERE d.status = 'pending' ORDER BY d.id DESC LIMIT 100"
    )

    def retry(row: Sequence[Any]) -> int:
        return scene.plant.call(row[1], "POST", f"deliveries/{row[0]}/retry", {})

    with ThreadPoolExecutor(8) as pool:
        retries = pool.map(retry, [row for row in waiting for _ in range(2)])
        scene.plant.hasten()
        statuses = set(retries)
    scene.plant.endpoint.behave(WELL)
    return HTTPStatus.ACCEPTED in statuses


def clock_set(scene: Scene) -> bool:
    scene.plant.clock.set(next(scene.clocks))
    return True


def _poison(word: str) -> Fault:
    def fault(scene: Scene) -> bool:
        description = f"{word} {scene.dice.randrange(10**9)}"
        scene.callers.post(scene.dice.choice(CLIENTS), description, poison=True)
        return True

    return fault


def heuristic_leaks(scene: Scene) -> bool:
    """Have a few runs keep so much memory that their workers must be replaced."""
    for _ in range(8):
        scene.callers.post(scene.dice.choice(CLIENTS), f"{LEAKS} {scene.dice.randrange(10**9)}")
    return True


FAULTS: dict[str, Fault] = {
    "busy worker killed": busy_worker_killed,
    "idle worker killed": idle_worker_killed,
    "pusher killed": pusher_killed,
    "monitor killed": monitor_killed,
    "sentinel killed": sentinel_killed,
    "whole cluster killed": whole_cluster_killed,
    "supervisor killed": supervisor_killed,
    "supervisor killed with all": supervisor_killed_with_all,
    "supervisor told to stop": supervisor_told_to_stop,
    "worker frozen": worker_frozen,
    "pusher frozen": pusher_frozen,
    "sentinel frozen": sentinel_frozen,
    "web worker killed": web_worker_killed,
    "web workers renewed": web_workers_renewed,
    "PostgreSQL restarted": postgres_restarted,
    "PostgreSQL crashed": postgres_crashed,
    "PostgreSQL process killed": postgres_backend_killed,
    "PostgreSQL frozen": postgres_frozen,
    "PostgreSQL sessions only read": postgres_sessions_only_read,
    "PostgreSQL failed over": postgres_failed_over,
    "Redis restarted": redis_restarted,
    "Redis flushed": redis_flushed,
    "Redis frozen": redis_frozen,
    "task queue filled": task_queue_filled,
    "task queue emptied": task_queue_emptied,
    "retries due at once": retries_due_at_once,
    "endpoint refuses": _endpoint(REFUSE),
    "endpoint hangs": _endpoint(HANG),
    "endpoint resets": _endpoint(RESET),
    "endpoint answers 500": _endpoint(ERROR),
    "endpoint answers 429": _endpoint(BUSY),
    "endpoint answers without end": _endpoint(ENDLESS),
    "endpoint is gone": endpoint_gone,
    "mail server silent": mail_server_silent,
    "recoveries asked for": recoveries_asked_for,
    "messages retried": messages_retried,
    "clock of a machine set": clock_set,
    "heuristic raises": _poison(RAISES),
    "heuristic hangs": _poison(HANGS),
    "heuristic hears no alarm": _poison(DEAF),
    "heuristic ends its process": _poison(EXITS),
    "heuristic leaks": heuristic_leaks,
}


def schedule(dice: random.Random) -> Iterator[str]:
    """Yield names of faults for ever: each kind once, in any order, then each again."""
    while True:
        names = list(FAULTS)
        dice.shuffle(names)
        yield from names
