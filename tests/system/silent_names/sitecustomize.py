"""Makes host names under ``silent.test`` take long in each Python that has this on its path.

It stands for a name server that does not answer, which a test cannot have: the system's resolver
asks those that the machine is told of.
"""

import socket
import time
from typing import Any

_look_up = socket.getaddrinfo
SECONDS = 60


def _slow_look_up(host: Any, *args: Any, **kwargs: Any) -> Any:
    if isinstance(host, str) and host.endswith("silent.test"):
        time.sleep(SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    return _look_up(host, *args, **kwargs)


socket.getaddrinfo = _slow_look_up
