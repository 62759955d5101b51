"""Which Content-Type headers reach a parser."""

import pytest

from pave.core.media_types import UNKNOWN, plain_media_type


@pytest.mark.parametrize(
    "header",
    [
        "",
        "application/json",
        "application/json;",
        "text/csv; header=present",
        "application/vnd.api+json",
        "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "multipart/form-data; boundary=----=_Part_5_1.17'()+_,-./:?",
        'multipart/form-data; boundary="a b:c=d"',
        "application/x-www-form-urlencoded",
    ],
)
def test_what_clients_send_is_as_it_was(header):
    assert plain_media_type(header) == header


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"UTF-8"', "us-ascii"])
def test_a_charset_that_says_nothing_new_is_left_out(charset):
    assert plain_media_type(f"a/b; charset={charset}; c=d") == "a/b; c=d"
    assert plain_media_type(f"a/b ;Charset={charset}") == "a/b "


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "a/b; charset=latin-1",
        "a/b; charset=utf-8; charset=hex",
        "a/b;CHARSET=idna",
        "a/b; charset=",
        "a/b; c",
        "a/b; c*=utf-8''d",
        "a/b; c*0=d",
        'a/b; c="',
        "a/b" + ";" * 300,
        "é/b",
        "a/b" + " ; " * 80 + "é",
    ],
)
def test_what_is_odd_is_of_an_unknown_type(header):
    assert plain_media_type(header) == UNKNOWN
