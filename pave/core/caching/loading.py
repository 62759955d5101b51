"""Loads what is slow to load once per process."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Generic, ParamSpec, TypeVar, cast

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable the garbage collector while many lasting objects are created.

    It would scan them again and again: a fifth of the time that loading a catalogue takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class LoadOnce(Generic[Parameters, Value]):
    """A function whose latest results are cached, and which runs in one thread at a time.

    With ``lru_cache`` alone every thread that asks before the first result would compute it too: a
    web process would do the same work once per thread, just when all wait for it.
    """

    def __init__(self, function: Callable[Parameters, Value], maxsize: int) -> None:
        self._cached = lru_cache(maxsize=maxsize)(function)
        # Reentrant, so that a load that asks for itself recurses instead of deadlocking.
        self._loading = threading.RLock()
        wraps(function)(self)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Value:
        with self._loading:
            return self._cached(*args, **kwargs)  # type: ignore[arg-type] # they are hashable

    def cache_clear(self) -> None:
        """Drop the cached results."""
        self._cached.cache_clear()


# What ``load_at_start`` loads.
_at_start: list[Callable[[], object]] = []


def load_once(
    *, maxsize: int = 1, at_start: bool = False
) -> Callable[[Callable[Parameters, Value]], LoadOnce[Parameters, Value]]:
    """Decorate a function that loads something: one thread runs it, the others wait for it.

    Args:
        maxsize: The number of different arguments whose results are kept.
        at_start: Whether ``load_at_start`` loads it; then it has no arguments.
    """

    def decorate(function: Callable[Parameters, Value]) -> LoadOnce[Parameters, Value]:
        loader = LoadOnce(function, maxsize)
        if at_start:
            _at_start.append(cast(Callable[[], object], loader))
        return loader

    return decorate


def load_at_start() -> None:
    """Load what is marked so in the modules imported by now, so that no work waits for it."""
    for load in _at_start:
        load()
