"""Clients that others generate from the description, and linters of it.

Only `make test-clients` collects these tests: they need npm and packages of their own.
"""

import os

from tests.system.conftest import databases, endpoint, stack

__all__ = ["databases", "endpoint", "stack"]

collect_ignore = ["generated", "node_modules"]
collect_ignore_glob = [] if os.environ.get("PAVE_TEST_CLIENTS") else ["test_*.py"]
