"""What the tests stand on: servers, then Django's settings that name them, then fixtures."""

import os

import django
import hypothesis
import pytest
from django.conf import settings
from django.db.backends.signals import connection_created

from tests.servers import ON_SQLITE, Servers

SERVERS = pytest.StashKey[Servers]()
# A busy machine is slow, and no test fails for that.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers before Django reads its settings, and load fixtures after it has."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the tests run in pytest-xdist's workers, each with servers of its own
    config.stash[SERVERS] = Servers(durable=False)
    os.environ["DJANGO_SETTINGS_MODULE"] = "pave.settings"
    django.setup()
    # Else each test's client lists all static files anew, a third of the time of an API's test.
    settings.WHITENOISE_AUTOREFRESH = True
    # Django's own takes 0.3 s for each password, on purpose.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    from tests.locks import refuse_conditions_in_sub_queries

    connection_created.connect(refuse_conditions_in_sub_queries)
    config.pluginmanager.import_plugin("tests.fixtures")
    config.pluginmanager.import_plugin("tests.admin.fixtures")
    config.pluginmanager.import_plugin("tests.merchants.fixtures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow ones first, so that no process has several left at the end."""
    items.sort(key=lambda item: "system" not in item.path.parts)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers, also after a run that was interrupted."""
    if SERVERS in config.stash:
        config.stash[SERVERS].stop()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what the tests run on."""
    return "storage: " + ("SQLite" if ON_SQLITE else "PostgreSQL and Redis")


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """What this run of the tests has started."""
    return pytestconfig.stash[SERVERS]
