"""A client that uses every operation of the API, and staff who do all there is to do about it.

Every text that either may send contains the client's mark, a word that is found nowhere else.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import requests

from tests.system.stack import Stack
from webhooks.receiver.application import Message, Reply

SECONDS = 30
PASSWORD = "neither-short-nor-common-1"
API_KEY = r"\b[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}\b"
SECRET = r"whsec_[A-Za-z0-9+/=]+"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def answer(message: Message) -> Reply:
    """Answer as the path of a webhook says, with what it was sent to, as its client's server."""
    status = 500 if "failing" in message.path else 410 if "gone" in message.path else 200
    return Reply(status, {"X-Said": message.path[1:]}, f"Got at {message.path}".encode())


class Staff:
    """Somebody who may do everything, in a browser."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._browser = requests.Session()
        self._browser.trust_env = False
        self._browser.headers["Connection"] = "close"
        self.pressed: set[tuple[str, str]] = set()
        stack.environ["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        stack.manage("createsuperuser", "--noinput", "--username=ann", "--email=ann@example.com")
        self.open("login/")
        self.send("login/", username="ann", password=PASSWORD)

    def open(self, page: str, **query: str) -> str:
        """Return a page of the admin."""
        shown = self._browser.get(self._url(page), params=query, timeout=SECONDS)
        assert shown.status_code == 200, (page, shown.status_code)
        return shown.text

    def send(self, page: str, **form: Any) -> str:
        """Send a form, and return the page that comes."""
        token = {"csrfmiddlewaretoken": self._browser.cookies["csrftoken"]}
        shown = self._browser.post(self._url(page), data={**form, **token}, timeout=SECONDS)
        assert shown.status_code == 200, (page, shown.status_code)
        assert "errorlist" not in shown.text, (page, shown.text)
        return shown.text

    def press(self, model: str, pk: object, button: str, **form: Any) -> str:
        """Press a button of an object's page; return the page that comes."""
        before = self._last_entry()
        shown = self.send(f"{model}/{pk}/do/{button}/", **form)
        assert self._last_entry() > before, f"{button} did nothing: {shown}"
        self.pressed.add((model, button))
        return shown

    def _last_entry(self) -> int:
        """Return the number of the last thing that is on record, but for pages opened."""
        sql = "SELECT max(id) FROM staff_auditentry WHERE username = 'ann' AND action <> 'opened'"
        number: int = self._stack.database.rows(sql)[0][0] or 0
        return number

    def _url(self, page: str) -> str:
        return f"{self._stack.web_url}/admin/{page}"


class Caller:
    """A client of Pave's, which notes the operations that it has used.

    Args:
        stack: Where Pave runs.
        staff: Who make it.
        endpoint: The URL of its server.
        mark: The word in all of its texts.
        kept: A word that staff take from its transactions into the catalogue.
        pk: Of its row: a number that is found nowhere else.
    """

    def __init__(
        self, stack: Stack, staff: Staff, endpoint: str, *, mark: str, kept: str, pk: int
    ) -> None:
        self._stack = stack
        self._staff = staff
        self._endpoint = endpoint.rstrip("/")
        self.mark = mark
        self.kept = kept
        self.pk = pk
        # By its letters backwards, since logs contain ids of clients and of HTTP requests.
        self.client_id = f"client-{mark[::-1].lower()}"
        self.http_ids = f"http-{mark[::-1].lower()}"
        self.used: set[tuple[str, str]] = set()
        self.secrets: set[str] = set()
        self.prefixes: set[str] = set()
        # Of all rows of its own that it was told of.
        self.ids: set[str] = set()
        self._calls = 0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Connection"] = "close"
        self._make()

    def _make(self) -> None:
        sequence = "SELECT setval(pg_get_serial_sequence('clients_client', 'id'), %s, false)"
        self._stack.database.rows(sequence, self.pk)
        mark = self.mark
        self._staff.send(
            "clients/client/add/",
            client_id=self.client_id, name=mark, notes=mark, contact_email=f"{mark}@example.com",
            requests_per_minute=60, burst=10_000, monthly_quota=100_000, share=1,
        )  # fmt: skip
        self.key = self.new_key()

    def new_key(self) -> str:
        """Have staff make a key, and return it."""
        page = self._staff.press("clients/client", self.pk, "make_key", name=self.mark)
        return self.note_key(page)

    def note_key(self, page: str) -> str:
        """Return the key that a page shows to staff."""
        [key] = set(re.findall(API_KEY, page))
        self.prefixes.add(key.partition(".")[0])
        self.secrets |= {key, key.partition(".")[2]}
        return key

    # --- Calls ----------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        expect: int | tuple[int, ...] = 200,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        key: str = "",
        **ids: str,
    ) -> requests.Response:
        """Use an operation of the API; return the response, whose status is as expected.

        Args:
            method: In lower case, as in the description.
            path: As the description has it.
            body: Sent as JSON.
            expect: The status, or those that it may be.
            data: Sent as it is.
            headers: Beside those of each call.
            params: The query.
            key: Another key than its first.
            ids: For the path.
        """
        self._calls += 1
        response = self._session.request(
            method,
            f"{self._stack.web_url}{path.format(**ids)}",
            json=body,
            data=data,
            params=params,
            headers={
                "Authorization": f"Api-Key {key or self.key}",
                "User-Agent": self.mark,
                "X-Of-The-Client": self.mark,
                "X-Request-Id": f"{self.http_ids}-{self._calls}",
                **(headers or {}),
            },
            timeout=SECONDS,
        )
        expected = expect if isinstance(expect, tuple) else (expect,)
        assert response.status_code in expected, (method, path, response.status_code, response.text)
        if response.ok:
            self.used.add((method, path))
            self.secrets |= set(re.findall(SECRET, response.text))
        if response.ok and "/merchants" not in path:
            self.ids |= set(re.findall(r'"(?:id|\w+_id)":\s?"(' + UUID + ')"', response.text))
            self.ids -= set(re.findall(r'"merchant":\s?\{"id":\s?"(' + UUID + ')"', response.text))
        return response

    def transaction(self, text: str = "", **fields: Any) -> dict[str, Any]:
        """Return a transaction with the mark in every text."""
        mark = self.mark
        return {
            "description": f"{mark} {text}".strip(), "city": mark, "reference": f"{mark} {text}",
            "metadata": {mark: f"{mark}: {text}"}, "amount": "12.99", "currency": "USD",
            **fields,
        }  # fmt: skip

    def post(self, text: str, *, wait: bool = True, key: str = "", **fields: str) -> str:
        """Post a transaction, wait for its answer, and return its id.

        Args:
            text: What it is about.
            wait: Whether to wait.
            key: An Idempotency-Key.
            fields: Of the transaction.
        """
        headers = {"Prefer": "wait=10"} if wait else {}
        if key:
            headers["Idempotency-Key"] = key
        body = self.transaction(text, **fields)
        # On a busy machine the answer may come later.
        expect = (200, 202) if wait else 202
        made = self.call("post", "/v1/normalizations", body, expect=expect, headers=headers)
        request_id: str = made.json()["request_id"]
        if wait:
            path = "/v1/normalizations/{request_id}"
            self._wait_for_status("completed", path, request_id=request_id)
        return request_id

    def _wait_for_status(self, status: str, path: str, **ids: str) -> None:
        self._stack.wait_for(
            lambda: self.call("get", path, **ids).json()["status"] == status, SECONDS
        )

    def upload(self, data: bytes, media_type: str, **params: str) -> str:
        """Send a batch of which some rows are bad, and return its id."""
        made = self.call(
            "post", "/v1/batches", data=data, expect=202, params=params,
            headers={"Content-Type": media_type, "Idempotency-Key": f"{self.mark}-{len(data)}"},
        ).json()  # fmt: skip
        assert made["errors"], made
        batch_id: str = made["id"]
        return batch_id

    def create_webhook(self, path: str, *, expect: int = 201, **fields: Any) -> str:
        """Create a webhook, in such a way that a repeat is safe, and return its id."""
        mark = self.mark
        body = {
            "url": f"{self._endpoint}/{path}-{mark}?token={mark}",
            "description": mark,
            "headers": {f"X-{mark}": mark},
            **fields,
        }
        headers = {"Idempotency-Key": f"{mark}-{path}"}
        made = self.call("post", "/v1/webhooks", body, expect=expect, headers=headers).json()
        webhook_id: str = made["id"]
        return webhook_id

    # --- All there is to do ---------------------------------------------------------------------

    def use_while_nothing_is_answered(self) -> None:
        """Do what is possible only with what is not answered yet."""
        self.good = self.create_webhook("good")
        assert self.create_webhook("good") == self.good  # a repeat
        self.failing = self.create_webhook("failing", events=["normalization.completed"])
        self.gone = self.create_webhook("gone")
        request_id = self.post("FIRST", wait=False)
        self.call("post", "/v1/normalizations/{request_id}/cancel", request_id=request_id)
        rows = {"transactions": [self.transaction("A"), {"description": "", "city": self.mark}]}
        for canceled_by in ("client", "staff"):
            made = self.call("post", "/v1/batches", rows, expect=202).json()
            if canceled_by == "client":
                self.call("post", "/v1/batches/{batch_id}/cancel", batch_id=made["id"])
            else:
                self._staff.press("merchants/batch", made["id"], "cancel")

    def use_transactions(self) -> None:
        """Send transactions in all ways, and read and correct what is answered."""
        mark = self.mark
        key = f'"{mark}, again"'
        self.answered = [self.post("ALONE", key=key), self.post("SHOP"), self.post("OTHER")]
        assert self.post("ALONE", key=key) == self.answered[0]
        old = {"description": mark, "amount": "1"}
        self.call("post", "/normalize_merchant", old, expect=202)
        rows = [self.transaction("B", nonsense=mark), {"description": mark, "currency": mark}]
        self.upload(_json_lines([*rows, [mark]]), "application/x-ndjson", deliver="each")
        columns = f"description,amount,city,metadata.{mark},{mark}"
        lines = f"{columns}\n{mark} C,1,{mark},{mark},{mark}\n{mark} D,{mark},,,\n"
        csv = self.upload(lines.encode(), "text/csv")
        for accept in ("text/csv", "application/x-ndjson"):
            self.call(
                "get", "/v1/batches/{batch_id}/results",
                headers={"Accept": accept}, batch_id=csv,
            )  # fmt: skip
        self.read_all()
        feedback = "/v1/normalizations/{request_id}/feedback"
        said = {"merchant": mark, "comment": f"It is {mark}."}
        self.feedback = [
            self.call("post", feedback, said, expect=201, request_id=request_id).json()["id"]
            for request_id in self.answered
        ]
        self.call("get", "/v1/merchants", params={"search": mark})

    def use_webhooks(self) -> None:
        """Do all there is to do to webhooks and deliveries."""
        mark, webhook = self.mark, "/v1/webhooks/{webhook_id}"
        old = {"url": f"{self._endpoint}/old-{mark}"}
        self.call("post", "/create_webhook", old)
        ids = {"webhook_id": self.good}
        changes = {"description": f"{mark} two", "headers": {f"X-{mark}-2": f"{mark} two"}}
        self.call("patch", webhook, changes, **ids)
        self.call("post", f"{webhook}/rotate-secret", {"overlap_hours": 24}, **ids)
        for each in (self.good, self.failing):
            self.call("post", f"{webhook}/test", {}, webhook_id=each)
            self.call("post", f"{webhook}/check", {}, webhook_id=each)
        self.call("patch", webhook, {"enabled": False}, **ids)
        self.post("HELD")
        self.call("patch", webhook, {"enabled": True}, **ids)
        since = {"since": "2026-01-01T00:00:00Z"}
        recover = f"{webhook}/recover"
        self.call("post", recover, {**since, "dry_run": True}, webhook_id=self.failing)
        made = self.call("post", recover, since, expect=202, webhook_id=self.failing).json()
        path = "/v1/recoveries/{recovery_id}"
        self._wait_for_status("completed", path, recovery_id=made["id"])
        listed = self.call(
            "get", f"{webhook}/deliveries", params={"event": "normalization.completed"}, **ids
        ).json()["data"]
        self.delivery = {"delivery_id": listed[-1]["id"]}
        path = "/v1/deliveries/{delivery_id}"
        self._wait_for_status("succeeded", path, **self.delivery)
        self.call("post", f"{path}/retry", {}, expect=202, **self.delivery)
        deleted = self.create_webhook("deleted")
        self.call("delete", webhook, expect=204, webhook_id=deleted)

    def share_an_answer(self, name: str) -> None:
        """Send a transaction of a merchant of the catalogue, whose answer all clients share."""
        self.post("AT ONE", description=f"{name} SHOP")

    def be_refused(self) -> None:
        """Send what is refused."""
        mark = self.mark
        body = {"description": {mark: mark}, "currency": mark, "metadata": mark}
        self.call("post", "/v1/normalizations", body, expect=400)
        self.call("post", "/v1/normalizations", data=f"{{{mark}".encode(), expect=400,
                  headers={"Content-Type": "application/json"})  # fmt: skip
        self.call("post", "/v1/batches", data=f"{mark}\n".encode(), expect=400,
                  headers={"Content-Type": "text/csv"})  # fmt: skip
        self.call("post", "/v1/webhooks", {"url": f"http://10.0.0.1/{mark}"}, expect=400)
        self.call("get", f"/v1/{mark}", expect=404, params={mark: mark})
        self.call("get", "/v1/normalizations", expect=400, params={mark: mark})
        self.call("get", "/v1/usage", expect=403, headers={"client-id": mark})
        self.call("get", "/v1/usage", expect=401, key=f"{mark[:8]}.{mark}")

    def be_administered(self) -> None:
        """Have staff do all there is to do about a client."""
        mark, press = self.mark, self._staff.press
        changed = {"name": f"{mark} two", "notes": f"{mark} two", "share": 2}
        limits = {"requests_per_minute": 60, "burst": 10_000, "monthly_quota": 90_000}
        self._staff.send(
            f"clients/client/{self.pk}/change/",
            **changed, **limits, contact_email=f"{mark}.two@example.com",
        )  # fmt: skip
        second = self.new_key()
        self.call("get", "/v1/usage", key=second)
        replacement = self.note_key(press("clients/apikey", second.partition(".")[0], "rotate"))
        self.call("get", "/v1/usage", key=replacement)
        press("clients/apikey", replacement.partition(".")[0], "revoke")
        self._staff.open(f"merchants/normalizationrequest/{self.answered[0]}/change/")
        for page in ("", "merchants/normalizationrequest/", "clients/client/", "staff/auditentry/"):
            self._staff.open(page)
        self._staff.open("merchants/ruleset/try/", description=mark)
        said = {"merchant": mark, "comment": f"Says {mark}"}
        press("merchants/normalizationrequest", self.answered[0], "wrong", **said)
        webhook = self.good
        self.secrets |= set(
            re.findall(SECRET, press("webhooks/webhook", webhook, "rotate_secret", overlap=0))
        )
        press("webhooks/webhook", webhook, "send_test")
        press("webhooks/webhook", webhook, "check_receiver")
        press("webhooks/webhook", self.failing, "recover", since="2026-01-01T00:00", until="")
        self._wait_for_status("succeeded", "/v1/deliveries/{delivery_id}", **self.delivery)
        press("webhooks/delivery", self.delivery["delivery_id"], "retry")
        sql = "SELECT id FROM webhooks_delivery WHERE webhook_id = %s AND status = 'held'"
        held = self._stack.wait_for(lambda: self._stack.database.rows(sql, self.gone), SECONDS)
        press("webhooks/delivery", held[0][0], "cancel")
        press("webhooks/webhook", webhook, "disable")
        press("webhooks/webhook", webhook, "enable")
        press("webhooks/webhook", webhook, "disable")
        press("clients/client", self.pk, "deactivate")
        press("clients/client", self.pk, "activate")

    # --- What it sees ---------------------------------------------------------------------------

    def read_all(self) -> dict[str, Any]:
        """Return all that the client can read of itself, by where."""
        seen: dict[str, Any] = {}

        def read(path: str, params: Mapping[str, str] | None = None, **ids: str) -> Any:
            text = self.call("get", path, params=params, **ids).text
            seen[f"{path.format(**ids)} {params}"] = text
            return text

        for path in ("/v1/usage", "/v1/categories"):
            read(path)
        for merchant in json.loads(read("/v1/merchants"))["data"]:
            read("/v1/merchants/{merchant_id}", None, merchant_id=merchant["id"])
        read("/v1/normalizations", {"reference": f"{self.mark} SHOP"})
        for name, plural in (("request", "normalizations"), ("batch", "batches"),
                             ("webhook", "webhooks")):  # fmt: skip
            listed = self.call("get", f"/v1/{plural}", params={"limit": "200"}).json()["data"]
            for one in listed:
                of = {f"{name}_id": one.get("request_id") or one["id"]}
                read(f"/v1/{plural}/{{{name}_id}}", None, **of)
                if name == "batch":
                    read("/v1/batches/{batch_id}/results", None, **of)
                if name == "webhook":
                    read("/v1/webhooks/{webhook_id}/deliveries", {"limit": "200"}, **of)
        return seen


def _json_lines(rows: list[Any]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()
