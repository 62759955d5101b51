"""Who holds most of the memory for bodies gives way."""

from pave.web_server.held_bodies import HeldBodies


def test_who_holds_most_gives_way_with_its_newest() -> None:
    bodies = HeldBodies(100)
    bodies.hold("a1", "a", 40)
    bodies.hold("b1", "b", 30)
    bodies.hold("a2", "a", 20)
    assert bodies.excess() is None
    bodies.hold("b1", "b", 50)
    assert bodies.excess() == "a2"
    bodies.let_go("a2")
    assert bodies.excess() is None
    bodies.hold("b2", "b", 11)
    assert bodies.excess() == "b2"


def test_what_is_let_go_counts_no_more() -> None:
    bodies = HeldBodies(100)
    for number in range(50):
        bodies.hold(number, "a", 1)
        bodies.hold(number, "a", 90)
        assert bodies.excess() is None
        bodies.let_go(number)
        bodies.let_go(number)
    bodies.hold("b1", "b", 101)
    assert bodies.excess() == "b1"
