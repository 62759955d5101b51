"""What a process makes once and keeps, since making it takes a while."""

import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Generic, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


@contextmanager
def without_collection() -> Iterator[None]:
    """Have the garbage collector rest while very much is made, all of which is kept.

    It would walk through all of it again and again: a fifth of the time that a catalogue takes.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Loaded(Generic[Parameters, Value]):
    """A function whose latest results are kept, and which runs in one thread at a time.

    ``lru_cache`` alone lets every thread that comes before the first result make one too: a web
    process would do the same work once for each thread, just when all are waiting for it.
    """

    def __init__(self, function: Callable[Parameters, Value], most: int) -> None:
        self._cached = lru_cache(maxsize=most)(function)
        # A load may come to ask for what it is about to load: better endless than stuck.
        self._loading = threading.RLock()
        wraps(function)(self)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Value:
        with self._loading:
            return self._cached(*args, **kwargs)  # type: ignore[arg-type] # they are hashable

    def cache_clear(self) -> None:
        """Forget what is kept."""
        self._cached.cache_clear()


def loaded(*, most: int = 1) -> Callable[[Callable[Parameters, Value]], Loaded[Parameters, Value]]:
    """Decorate a function that loads something: one thread does, and the others wait for it.

    Args:
        most: For so many different arguments, the latest, its results are kept.
    """

    def decorate(function: Callable[Parameters, Value]) -> Loaded[Parameters, Value]:
        return Loaded(function, most)

    return decorate
