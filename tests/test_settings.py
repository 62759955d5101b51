"""docs/settings.md and pave/settings.py say the same."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from pave.environment import Environment

ROOT = Path(__file__).resolve().parent.parent
NO_LITERAL = object()


def _read_settings() -> dict[str, Any]:
    """Return what the settings read from the environment: name -> default, where it is literal."""
    read = {}
    for node in ast.walk(ast.parse((ROOT / "pave" / "settings.py").read_text())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "env"
        ):
            name = ast.literal_eval(node.args[0])
            [default] = [keyword.value for keyword in node.keywords if keyword.arg == "default"]
            try:
                read[name] = ast.literal_eval(default)
            except ValueError:
                read[name] = NO_LITERAL
    return read


def _documented() -> dict[str, str]:
    """Return the page's rows: name -> default as it stands there."""
    page = (ROOT / "docs" / "settings.md").read_text()
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE))


def _as_text(default: Any) -> str:
    """Return a default as the page writes it."""
    if default in ("", []):
        return "none"
    if isinstance(default, bool):
        text = str(default).lower()
    elif isinstance(default, list):
        text = ",".join(map(str, default))
    else:
        text = f"{default:g}" if isinstance(default, float) else str(default)
    return f"`{text}`"


READ = _read_settings()


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert _documented().keys() == READ.keys()


@pytest.mark.parametrize("name", [name for name in READ if READ[name] is not NO_LITERAL])
def test_the_default_on_the_page_is_the_real_one(name: str) -> None:
    assert _documented()[name] == _as_text(READ[name])


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("networks", "10.0.0.5/8"), ("networks", "10.0.0.0/8,x"),
        ("float", "1m"), ("float", "60s"), ("float", "1,5"), ("float", ""),
        ("int", "2x"), ("int", ""), ("bool", "flase"), ("bool", "none"),
    ],
)  # fmt: skip
def test_what_has_no_value_of_the_type_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, method: str, text: str
) -> None:
    monkeypatch.setenv("PAVE_TRIED", text)
    with pytest.raises(ImproperlyConfigured, match="PAVE_TRIED"):
        getattr(Environment(), method)("PAVE_TRIED", default=1)


@pytest.mark.parametrize(
    ("method", "text", "value"),
    [("float", " 1.5 ", 1.5), ("float", "60", 60.0), ("bool", "False", False), ("bool", "", False),
     ("list", "a, b ,c", ["a", "b", "c"]), ("bool", "ON", True), ("bool", "1", True)],
)  # fmt: skip
def test_what_has_one_is_taken(
    monkeypatch: pytest.MonkeyPatch, method: str, text: str, value: object
) -> None:
    monkeypatch.setenv("PAVE_TRIED", text)
    assert getattr(Environment(), method)("PAVE_TRIED", default=1) == value


@pytest.mark.parametrize("text", ["", "'postgres://u:hidden@db/pave'", "db", "hidden://db/pave"])
def test_what_is_no_database_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", text)
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refused:
        Environment().db("DATABASE_URL", default="sqlite://:memory:")
    assert "hidden" not in str(refused.value)


def test_a_network_of_ipv4_may_be_written_as_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAVE_TRIED", "::ffff:10.0.0.0/104,192.0.2.0/24,2001:db8::/32,::/0")
    networks = Environment().networks("PAVE_TRIED", default=[])
    assert [str(network) for network in networks] == [
        "10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32", "::/0",
    ]  # fmt: skip
