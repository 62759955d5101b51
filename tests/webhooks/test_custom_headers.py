"""Which headers of its own a client may set."""

from dataclasses import replace

import pytest

from webhooks.delivery.dispatcher import interrupted
from webhooks.delivery.masking import without_secrets
from webhooks.policies.custom_headers import MAX_HEADERS, MAX_VALUE, problem_with


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Team": "payments"},
        {"Authorization": "Bearer a.b.c"},
        {"x_odd!#$%&'*+.^`|~": "1"},
        {"X-Spaces": "a b\tc"},
        {f"X-{n}": "v" for n in range(MAX_HEADERS)},
        {"X-Long": "a" * MAX_VALUE},
    ],
)
def test_these_may_be_set(headers):
    assert problem_with(headers) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "1"),
        ("Webhook-Signature", "v1,abc"),
        ("webhook-anything", "1"),
        ("Host", "evil.example"),
        ("content-LENGTH", "3"),
        ("Content-Type", "text/plain"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Cookie", "a=b"),
        ("User-Agent", "me"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X_Forwarded_For", "127.0.0.1"),
        ("Content_Length", "5"),
        ("X-Real-IP", "127.0.0.1"),
        ("True-Client-IP", "127.0.0.1"),
        ("Proxy-Authorization", "Basic abc"),
        ("", "1"),
        ("a b", "1"),
        ("X-Ä", "1"),
        ("X:", "1"),
        ("X-A\r\nX-B", "1"),
        ("X" * 101, "1"),
        ("X-A", ""),
        ("X-A", " padded "),
        ("X-A", "a\r\nX-B: c"),
        ("X-A", "a\0b"),
        ("X-A", "naïve"),
        ("X-A", "a" * (MAX_VALUE + 1)),
        ("X-A", 5),
        ("X-A", None),
        ("X-A", ["a"]),
    ],
)
def test_these_may_not(name, value):
    problem = problem_with({name: value})
    assert problem is not None
    assert problem[0] == name


def test_the_same_name_twice_in_other_letters_is_refused():
    assert problem_with({"X-A": "1", "x-a": "2"}) == (
        "x-a",
        "This header is named twice; upper and lower case make no difference.",
    )


def test_so_many_and_no_more():
    problem = problem_with({f"X-{n}": "v" for n in range(MAX_HEADERS + 1)})
    assert problem == ("", f"There may be {MAX_HEADERS} headers at most.")


def test_what_costs_much_to_look_for_is_masked_as_a_whole():
    """Who chooses the headers may choose the response: this took a second of CPU for a message."""
    outcome = replace(
        interrupted(ValueError()),
        response_headers={"retry-after": "5", "x-echo": "a" * 1_020 + "c"},
        response_head="a" * 4_095 + "c",
    )
    one = {"X-Key": "aaaaaX " + "a" * 1_960}
    shown = without_secrets(outcome, one)
    assert shown.response_headers["retry-after"] == "5"
    assert shown.response_head.endswith("***")
    assert len(shown.response_head) < 4_000
    many = {f"X-{number}": "aaaaaX " + "a" * 1_960 + f'b<%"<%{number}' for number in range(20)}
    shown = without_secrets(outcome, many)
    assert set(shown.response_headers.values()) == {"***"}
    assert shown.response_head == "***"
    assert shown.detail == "***"
