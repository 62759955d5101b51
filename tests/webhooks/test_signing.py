import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks

from webhooks.http.signing import generate_secret, mask, mask_headers, sign, signed_headers

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = '{"merchant": {"name": "Café ☕"}}'.encode()
VERIFIERS = pytest.mark.parametrize(
    "verifier", [standardwebhooks.Webhook, svix.webhooks.Webhook], ids=["standardwebhooks", "svix"]
)


def headers_for(*secrets: str, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(
        secrets=secrets, message_id="msg_1", timestamp=int(time.time()), body=body
    )


def test_the_published_vector() -> None:
    signature = sign(
        secrets=[SECRET],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@VERIFIERS
def test_a_client_library_verifies(verifier: Callable[[str], Any]) -> None:
    secret = generate_secret()
    verifier(secret).verify(BODY, headers_for(secret))


@VERIFIERS
def test_during_a_rotation_the_old_and_the_new_secret_verify(
    verifier: Callable[[str], Any],
) -> None:
    new, old = generate_secret(), generate_secret()
    headers = headers_for(new, old)
    verifier(new).verify(BODY, headers)
    verifier(old).verify(BODY, headers)
    assert headers["webhook-signature"].count("v1,") == 2


@VERIFIERS
def test_another_secret_or_body_does_not_verify(verifier: Callable[[str], Any]) -> None:
    secret = generate_secret()
    headers = headers_for(secret)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier(generate_secret()).verify(BODY, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        verifier(secret).verify(BODY + b" ", headers)


def test_bytes_are_signed_as_they_are() -> None:
    arguments = {"secrets": [SECRET], "message_id": "m", "timestamp": 1}
    assert sign(**arguments, body=b"\xff\x00") != sign(**arguments, body=b"\xfe\x00")


def test_a_secret_is_32_random_bytes() -> None:
    secret = generate_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret.startswith("whsec_")
    assert secret != generate_secret()


def test_the_headers_of_an_attempt() -> None:
    headers = signed_headers(secrets=[SECRET], message_id="msg_1", timestamp=1, body=b"{}")
    assert headers == {
        "content-type": "application/json",
        "user-agent": "Pave-Webhooks/1",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1",
        "webhook-signature": sign(secrets=[SECRET], message_id="msg_1", timestamp=1, body=b"{}"),
    }


@pytest.mark.parametrize("secrets", [[], ["whsec_"], ["whsec_not base64!"]])
def test_an_unusable_secret_is_refused_without_being_shown(secrets: list[str]) -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        sign(secrets=secrets, message_id="m", timestamp=1, body=b"")
    assert "not base64!" not in str(caught.value)


def test_a_masked_secret_cannot_sign() -> None:
    secret = generate_secret()
    assert mask(secret) == secret[:10] + "***"
    assert mask("whsec_c2hvcnQ=") == "whsec_***"


def test_secret_headers_are_masked() -> None:
    shown = mask_headers(
        {"Authorization": "Bearer abc", "X-Api-Key": "abc", "Set-Cookie": "s=abc", "X-Team": "pay"}
    )
    assert "abc" not in json.dumps(shown)
    assert shown["X-Team"] == "pay"
