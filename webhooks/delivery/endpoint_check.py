"""The receiver check: does an endpoint verify what it gets?

It gets a good message, the same one again, one with an old timestamp, one with a wrong signature,
and one with two signatures of which one is right, as after a rotation. A correct endpoint accepts
the first, the second and the last, and refuses the others. None of them is a delivery: an endpoint
that fails here is not disabled and not slowed down.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone

from pave.core import clock
from pave.core.ids import new_id
from webhooks.delivery import claims
from webhooks.delivery.dispatcher import interrupted
from webhooks.endpoints import services
from webhooks.event_types import TEST
from webhooks.http.outcome import Outcome
from webhooks.http.signing import NoSecret, generate_secret, signed_headers
from webhooks.http.transport import Transport
from webhooks.models import Webhook
from webhooks.publishing import Occurrence, message_body

logger = logging.getLogger(__name__)

# The caller waits for one message, and then for four at the same time.
TIMEOUT = 5.0
# Standard Webhooks' libraries take timestamps that are up to five minutes off.
STALE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class CheckMessage:
    """One of the messages.

    Args:
        name: in the report.
        accept: whether a correct endpoint accepts it.
        failure: what it means if the endpoint does otherwise.
    """

    name: str
    accept: bool
    failure: str


GOOD = CheckMessage(
    "good", True, "A correctly signed message was not accepted: is the secret the right one?"
)
DUPLICATE = CheckMessage(
    "duplicate",
    True,
    "A duplicate was not accepted: answer 2xx to a webhook-id that you have already received, "
    "or it will come again.",
)
STALE = CheckMessage(
    "stale",
    False,
    "A message signed an hour ago was not refused with 4xx: compare webhook-timestamp with your "
    "clock, or old messages can be replayed.",
)
WRONGLY_SIGNED = CheckMessage(
    "wrongly_signed",
    False,
    "A message with a wrong signature was not refused with 4xx: anybody can send you anything.",
)
DOUBLY_SIGNED = CheckMessage(
    "doubly_signed",
    True,
    "A message with two signatures, the second one valid, was not accepted: compare each one, "
    "or messages will fail while a secret is rotated.",
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How an endpoint handled one of the messages; None if it was not sent."""

    message: CheckMessage
    outcome: Outcome | None

    @property
    def passed(self) -> bool:
        """Whether the endpoint handled it correctly."""
        if self.outcome is None:
            return False
        if self.message.accept:
            return self.outcome.ok
        return self.outcome.status is not None and 400 <= self.outcome.status < 500

    @property
    def reason(self) -> str:
        """What is wrong, as a sentence."""
        if self.outcome is None:
            return "Not sent, since the endpoint did not answer the good message."
        if self.outcome.status is None:
            return self.outcome.detail
        return self.message.failure


class _Checker:
    """Sends the messages to one webhook."""

    def __init__(self, webhook: Webhook, transport: Transport) -> None:
        self._webhook = webhook
        self._transport = transport
        self._secrets = claims.live_secrets(webhook, now=timezone.now())
        self._id = str(new_id())
        self._now = timezone.now()

    def send(self, message: CheckMessage) -> CheckResult:
        wrong_secret = generate_secret()
        secrets = {
            WRONGLY_SIGNED: (wrong_secret,),
            DOUBLY_SIGNED: (wrong_secret, *self._secrets),
        }.get(message, self._secrets)
        occurrence = Occurrence(
            client_pk=self._webhook.client_id,
            type=TEST,
            subject_id=self._webhook.pk,
            # A duplicate has the bytes of the good one.
            data={"check": (GOOD if message is DUPLICATE else message).name, "id": self._id},
        )
        body = message_body(occurrence, self._now)
        try:
            headers = signed_headers(
                secrets=secrets,
                message_id=self._id if message in (GOOD, DUPLICATE) else str(new_id()),
                timestamp=int(clock.timestamp()) - (STALE_SECONDS if message is STALE else 0),
                body=body,
            )
        except NoSecret as error:
            return CheckResult(message, interrupted(error))
        outcome = self._transport.post(
            self._webhook.url, body=body, headers={**(self._webhook.headers or {}), **headers}
        )
        return CheckResult(message, outcome)


def check(*, webhook: Webhook) -> list[CheckResult]:
    """Send the messages and return how the endpoint handled each.

    If it does not respond to the good one, the others are not sent.
    """
    transport = Transport(
        policy=services.address_policy(), timeout=min(TIMEOUT, settings.PAVE_WEBHOOK_TIMEOUT)
    )
    with closing(transport):
        checker = _Checker(webhook, transport)
        results = [checker.send(GOOD)]
        others = [DUPLICATE, STALE, WRONGLY_SIGNED, DOUBLY_SIGNED]
        if results[0].outcome is None or results[0].outcome.status is None:
            results += [CheckResult(message, None) for message in others]
        else:
            with ThreadPoolExecutor(len(others)) as pool:
                results += pool.map(checker.send, others)
    logger.info(
        "webhook.checked",
        extra={
            "webhook": webhook.pk,
            "wrong": ",".join(result.message.name for result in results if not result.passed)
            or "-",
        },
    )
    return results
