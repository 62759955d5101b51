"""Who holds most of the memory for bodies gives way."""

from pave.web_server.held_bodies import HeldBodies
from pave.web_server.turns import STRANGERS

A, B = ("client a", ""), ("client b", "")


def test_who_holds_most_gives_way_with_its_oldest() -> None:
    bodies = HeldBodies(100)
    bodies.hold("a1", A, 40)
    bodies.hold("b1", B, 30)
    bodies.hold("a2", A, 20)
    assert bodies.excess() is None
    bodies.hold("b1", B, 50)
    assert bodies.excess() == "a1"
    bodies.let_go("a1")
    assert bodies.excess() is None
    bodies.hold("b2", B, 31)
    assert bodies.excess() == "b1"


def test_strangers_are_one_and_of_them_an_address_with_most_connections_gives_way() -> None:
    bodies = HeldBodies(100)
    for number in range(15):
        bodies.hold(f"s{number}", (STRANGERS, f"192.0.2.{number}"), 5)
    bodies.hold("second", (STRANGERS, "192.0.2.3"), 1)
    bodies.hold("a1", A, 40)
    assert bodies.excess() == "s3"
    bodies.let_go("s3")
    bodies.hold("large", (STRANGERS, "192.0.2.99"), 20)
    assert bodies.excess() == "s0", "the oldest, where each has one"


def test_what_is_let_go_counts_no_more() -> None:
    bodies = HeldBodies(100)
    for number in range(50):
        bodies.hold(number, A, 1)
        bodies.hold(number, A, 90)
        assert bodies.excess() is None
        bodies.let_go(number)
        bodies.let_go(number)
    bodies.hold("b1", B, 101)
    assert bodies.excess() == "b1"
