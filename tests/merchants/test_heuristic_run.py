import os
import signal

import pytest

from pave.core.time_limit import TimeUp, time_limit


def test_an_alarm_that_comes_as_the_body_ends_leaves_nothing_armed(monkeypatch):
    before = signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGPROF)
    setitimer = signal.setitimer

    def set_late(timer, seconds):
        if not seconds and timer == signal.ITIMER_REAL:
            os.kill(os.getpid(), signal.SIGALRM)
        return setitimer(timer, seconds)

    monkeypatch.setattr(signal, "setitimer", set_late)
    with time_limit(30, cpu_seconds=30):
        pass
    assert (signal.getsignal(signal.SIGALRM), signal.getsignal(signal.SIGPROF)) == before
    assert signal.getitimer(signal.ITIMER_PROF) == signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_second_of_two_limits_is_silent():
    heard = []

    def both():
        with time_limit(30, cpu_seconds=30):
            try:
                os.kill(os.getpid(), signal.SIGPROF)
            finally:
                os.kill(os.getpid(), signal.SIGALRM)
                heard.append("the end")

    with pytest.raises(TimeUp):
        both()
    assert heard == ["the end"]
