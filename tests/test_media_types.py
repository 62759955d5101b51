"""What of Content-Type and Accept headers reaches a parser."""

import pytest

from pave.api.media_types import MAX_LENGTH, UNREADABLE, plain_accept, plain_media_type


@pytest.mark.parametrize(
    ("header", "plain"),
    [
        ("", ""),
        ("application/json", "application/json"),
        ("Application/JSON ;", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ('application/json;Charset="UTF-8"; a=b', "application/json"),
        ("text/csv; header=present", "text/csv"),
        ("application/vnd.api+json", "application/vnd.api+json"),
        ("application/json; a*0=x; a=y; a*=z", "application/json"),
        ('a/b; x=";charset=utf-8"; y="; ;charset=utf-8 charset=hex;"', "a/b"),
        (
            "multipart/form-data; boundary=--Web7",
            'multipart/form-data; boundary="--Web7"',
        ),
        ('multipart/form-data; boundary="=_(1):/?"', 'multipart/form-data; boundary="=_(1):/?"'),
    ],
)
def test_of_a_type_nothing_is_kept_that_is_not_looked_at(header, plain):
    assert plain_media_type(header) == plain


@pytest.mark.parametrize("charset", ["latin-1", "hex", "", '"utf-16"', "utf-8; charset=hex"])
def test_another_charset_is_no_codecs_name(charset):
    assert plain_media_type(f"a/b; charset={charset}") == "a/b; charset=other"


@pytest.mark.parametrize(
    "header",
    [
        "nonsense",
        "é/b",
        "a/b, c/d",
        "a" * 101 + "/b",
        "a/b;" + " " * MAX_LENGTH,
        "multipart/form-data",
        'multipart/form-data; boundary="s3cret "',
        'multipart/form-data; boundary="a;charset=utf-8"',
        "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=" + "b" * 71,
    ],
)
def test_what_cannot_be_read_is_of_no_type(header):
    assert plain_media_type(header) == UNREADABLE


@pytest.mark.parametrize(
    ("header", "plain"),
    [
        ("*/*", "*/*"),
        ("text/html, text/csv;q=0.9;a=b, */*; q=.8", "text/html,text/csv;q=0.9;a=b,*/*;q=.8"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6",
        ),
        ('text/csv;a="b;c=d";e', "text/csv"),
        ("text/csv; charset*=undefined''x, a/b; a*0=x", "text/csv,a/b"),
        ("nonsense, é/b, text/*", "text/*"),
        ("text/csv" + ";" * MAX_LENGTH, ""),
    ],
)
def test_what_is_accepted_is_types_and_their_qualities(header, plain):
    assert plain_accept(header) == plain
