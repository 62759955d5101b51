"""A client that has used every route is erased from a system at work: nothing of it is left.

What stays by design is named here, with the reason; docs/security.md ("Known limits") lists it.
"""

import base64
import gzip
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import redis
import requests
from django.contrib.admin import site
from django.core import signing

from pave.staff.buttons import buttons_of
from tests.servers import Servers
from tests.system.every_route import Caller, Staff, answer
from tests.system.stack import Stack
from tests.system.test_backup import program
from webhooks.receiver.application import Receiver

pytestmark = pytest.mark.timeout(240)

# Who did what to which row, and when, stays on record (docs/operations.md, "Retention and
# erasure"): ids of rows that are gone, and nothing else of them.
TRAIL = "staff_auditentry"
# For half a minute the cache says of a key, by its first eight characters, that it has ended.
ENDED_KEY = ":api-key:"
# A word of a transaction that staff have put into the name of a merchant, and published.
IN_THE_CATALOGUE = {"table merchants_merchant", "table merchants_alias", "ruleset 2"}
# Buttons that do nothing to what is a client's.
OF_THE_CATALOGUE = {("merchants/merchant", "merge"), ("merchants/ruleset", "roll_back")}


def spellings(text: str, *, any_case: bool = True) -> Iterator[bytes]:
    """Yield the forms in which a text may be stored; each in lower case, but for base64."""
    for form in {text, text.lower(), text.upper(), text.title()} if any_case else {text}:
        yield form.lower().encode()
        yield form.encode().hex().encode()  # as pg_dump writes bytes
        yield "".join(f"%{byte:02x}" for byte in form.encode()).encode()
        yield form.encode("utf-16-le").hex().encode()


def in_base64(text: str, *, any_case: bool = True) -> Iterator[bytes]:
    """Yield what base64 makes of a text, wherever it begins in what is encoded."""
    for form in {text, text.lower(), text.upper(), text.title()} if any_case else {text}:
        for before in range(3):
            encoded = base64.b64encode(bytes(before) + form.encode())
            whole = (before + len(form.encode())) * 8 // 6
            yield (part := encoded[(before * 8 + 5) // 6 : whole])
            yield part.translate(bytes.maketrans(b"+/", b"-_"))


def places_of(text: str, found: dict[str, bytes], *, any_case: bool = True) -> list[str]:
    """Return where a text is found, in whatever form, with what surrounds it."""
    plain = set(spellings(text, any_case=any_case))
    encoded = set(in_base64(text, any_case=any_case))
    places = []
    for place, content in found.items():
        for haystack, needles in ((content.lower(), plain), (content, encoded)):
            for needle in needles:
                if (at := haystack.find(needle)) >= 0:
                    around = content[max(0, at - 100) : at + len(needle) + 60]
                    places.append(f"{text} in {place}: {around!r}")
                    break
    return places


def places_of_all(texts: Iterable[str], found: dict[str, bytes]) -> list[str]:
    """Return where ids and secrets are found, which are not spelled otherwise."""
    return [place for one in texts for place in places_of(one, found, any_case=False)]


def dump_of(stack: Stack, servers: Servers) -> dict[str, bytes]:
    """Return a dump of the whole database: for each table its rows, and all that is no row."""
    dump = subprocess.run(
        [program(servers, "pg_dump"), f"--dbname={stack.database.url}"], check=True,
        stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    parts = re.split(rb"(?m)^COPY public\.(\w+) (.*\n(?s:.*?))^\\\.$", dump)
    tables = {
        f"table {name.decode()}": rows for name, rows in zip(parts[1::3], parts[2::3], strict=True)
    }
    # What is compressed in there.
    packed = "SELECT number, content, changed FROM merchants_ruleset"
    for number, *contents in stack.database.rows(packed):
        tables[f"ruleset {number}"] = b"".join(
            gzip.decompress(bytes(content)) for content in contents if content
        )
    for number, (data,) in enumerate(
        stack.database.rows("SELECT session_data FROM django_session")
    ):
        encoded = data.removeprefix(".").partition(":")[0]
        read = signing.b64_decode(encoded.encode())
        tables[f"session {number}"] = zlib.decompress(read) if data.startswith(".") else read
    return tables | {"the rest of the dump": b"".join(parts[0::3])}


def statistics_of(stack: Stack) -> dict[str, bytes]:
    """Return PostgreSQL's statistics of each table, with the values in them."""
    rows = stack.database.rows(
        "SELECT tablename, string_agg(s::text, ' ') FROM pg_stats s"
        " WHERE schemaname = 'public' GROUP BY tablename"
    )
    return {f"statistics of {table}": text.encode() for table, text in rows}


def cached_of(stack: Stack) -> dict[str, bytes]:
    """Return every key and value in Redis."""
    found = {}
    with redis.Redis.from_url(stack.environ["REDIS_URL"]) as connection:
        for key in connection.scan_iter("*"):
            # In whatever form its kind keeps it.
            read = {b"string": "GET", b"list": "LRANGE", b"hash": "HGETALL", b"set": "SMEMBERS",
                    b"zset": "ZRANGE"}[connection.type(key)]  # fmt: skip
            limits = (0, -1) if read in ("LRANGE", "ZRANGE") else ()
            value = connection.execute_command(read, key, *limits)
            found[f"Redis {key.decode()}"] = (
                key + b" " + (value if isinstance(value, bytes) else repr(value).encode())
            )
    return found


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files in a folder, and in those within it."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wait_until_quiet(stack: Stack) -> None:
    """Wait until nothing is left to be done but to repeat what failed, much later."""
    unfinished = """
        SELECT 'request' FROM merchants_normalizationrequest
            WHERE status IN ('queued', 'processing')
        UNION ALL SELECT 'batch' FROM merchants_batch WHERE status = 'processing'
        UNION ALL SELECT 'delivery' FROM webhooks_delivery WHERE status = 'delivering'
            OR status = 'pending' AND next_attempt_at < CURRENT_TIMESTAMP + interval '1 minute'
        UNION ALL SELECT 'recovery' FROM webhooks_recovery WHERE status = 'running'
        UNION ALL SELECT 'revision' FROM merchants_revision WHERE finished_at IS NULL
    """
    stack.wait_for(lambda: not stack.database.rows(unfinished), 60)


def review(staff: Staff, caller: Caller, *, published: bool) -> None:
    """Have staff decide on a client's feedback: what is published stays, for all clients see it."""
    accept = ("merchants/feedback", caller.feedback[0], "accept")
    if published:
        staff.press(*accept, new_name=f"Kept {caller.kept}", text=f"{caller.kept} SHOP", keep="on")
        return
    said = {"new_name": caller.mark, "text": f"{caller.mark} OTHER", "keep": "on"}
    staff.press("merchants/feedback", caller.feedback[1], "accept", **said)
    staff.press("merchants/feedback", caller.feedback[2], "reject")


def hashes_of(stack: Stack, caller: Caller) -> set[str]:
    """Return what is stored of a client's keys and secrets, and of its headers."""
    keys = stack.database.rows(
        "SELECT id, hashed_key FROM clients_apikey WHERE client_id = %s", caller.pk
    )
    of_webhooks = stack.database.rows(
        "SELECT s.secret, w.headers FROM webhooks_signingsecret s"
        " JOIN webhooks_webhook w ON w.id = s.webhook_id WHERE w.client_id = %s",
        caller.pk,
    )
    found = {str(value) for row in (*keys, *of_webhooks) for value in row if value}
    assert len(found) > 6
    return found


def kept_in(caller: Caller, stored: dict[str, bytes]) -> set[str]:
    """Return where a word is that staff have taken into the catalogue."""
    word = caller.kept.lower().encode()
    found = {place for place, content in stored.items() if word in content.lower()}
    return {place for place in found if not place.startswith("statistics of ")}


def publish(staff: Staff) -> None:
    """Have staff publish the draft, once they have seen what that changes."""
    page = staff.open("merchants/ruleset/draft/", preview="yes")
    [fingerprint] = re.findall(r'name="fingerprint" value="([^"]+)"', page)
    staff.send("merchants/ruleset/draft/", note="Looked at", fingerprint=fingerprint)


def described_operations(stack: Stack) -> set[tuple[str, str]]:
    """Return the operations of the API's description that want a key."""
    paths = requests.get(f"{stack.web_url}/openapi.json", timeout=20).json()["paths"]
    return {
        (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if operation.get("security") != []
    }


def buttons() -> set[tuple[str, str]]:
    """Return the buttons of all pages of staff, by their model's path."""
    return {
        (model._meta.label_lower.replace(".", "/"), name)
        for model, page in site._registry.items()
        for name in buttons_of(type(page))
    }


@pytest.mark.stack(PAVE_WEBHOOK_RETRY_SCHEDULE="3600", LOG_LEVEL="INFO")
def test_nothing_is_left_of_a_client_that_has_used_every_route(
    stack: Stack, endpoint: Receiver, servers: Servers, tmp_path: Path
) -> None:
    endpoint.behaviour = answer
    mails = tmp_path / "mails"
    stack.environ["EMAIL_URL"] = f"filemail:///{mails}"  # the contacts' mailboxes
    staff = Staff(stack)
    url = endpoint.url()
    erased = Caller(stack, staff, url, mark="Zyxquorblat", kept="Quillimond", pk=1_904_117_355)
    other = Caller(stack, staff, url, mark="Wimborfleck", kept="Harbottrix", pk=2_004_117_355)
    both = (erased, other)
    for one in both:
        one.use_while_nothing_is_answered()
    stack.start_cluster()
    for one in both:
        one.use_transactions()
        one.use_webhooks()
        one.be_refused()
        review(staff, one, published=True)
    publish(staff)
    for one in both:
        one.share_an_answer(other.kept)
        review(staff, one, published=False)
        one.be_administered()
    staff.open("merchants/ruleset/draft/", preview="yes")
    wait_until_quiet(stack)
    for one in both:
        one.read_all()
        assert described_operations(stack) - one.used == set()
    assert buttons() - staff.pressed - OF_THE_CATALOGUE == set()
    mailed = b"".join(files_of(mails).values())
    for one in both:
        assert f"{one.mark}@example.com".encode() in mailed
    hashes, request_id = hashes_of(stack, erased), erased.answered[0]
    seen_by_other = other.read_all()
    stack.database.rows("ANALYZE")
    erased.call("get", "/v1/usage")
    before = {**dump_of(stack, servers), **statistics_of(stack), **cached_of(stack)}
    assert places_of(erased.mark, before)
    for one in (erased.client_id, str(erased.pk), *erased.ids, *hashes):
        assert places_of(one, before, any_case=False), one

    said = stack.manage("erase_client", erased.client_id, "--yes")

    assert said.startswith(f"Erased {erased.client_id}")
    erased.call("get", "/v1/usage", expect=401)
    stored = {**dump_of(stack, servers), **statistics_of(stack), **cached_of(stack)}
    shutil.rmtree(mails)
    files = files_of(stack.folder)
    # Logs have ids of clients and of HTTP requests, and no more (docs/operations.md).
    for one in (erased.client_id, request_id):
        assert places_of(one, files, any_case=False)
    assert places_of(erased.mark, {**stored, **files}) == []
    secrets = {one.removeprefix("whsec_") for one in erased.secrets}
    assert len(secrets) > 8
    assert places_of_all({*secrets, *hashes}, {**stored, **files}) == []
    assert places_of_all([erased.client_id, erased.http_ids], stored) == []
    rest = {place: stored[place] for place in stored if not place.endswith(TRAIL)}
    assert places_of_all([str(erased.pk), *erased.ids], rest) == []
    ended = {place for place in rest if ENDED_KEY in place}
    assert all(rest[place].endswith(b'"changed"') for place in ended)
    for prefix in erased.prefixes:
        assert places_of(prefix, {place: rest[place] for place in rest.keys() - ended}) == []
    assert kept_in(erased, stored) == IN_THE_CATALOGUE
    assert other.read_all() == seen_by_other
