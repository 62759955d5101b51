"""An expression of the staff's cannot keep the heuristic busy for ever."""

import time

import pytest

from merchants.matching.rules import InvalidRegex, compile_regex


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*a){12}$", "(x+x+)+y"])
def test_what_makes_other_engines_run_for_years_takes_no_time(pattern):
    begun = time.process_time()
    compile_regex(pattern).search("a" * 500 + "!")
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize("pattern", ["(", "a{2000}{2000}", r"(?=a)", r"(a)\1"])
def test_what_the_engine_does_not_take_is_refused_when_it_is_written(pattern):
    with pytest.raises(InvalidRegex):
        compile_regex(pattern)
