"""Rows to begin a test with."""

from django.utils import timezone
from factory import Faker, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from merchants.models import Alias, Merchant, NormalizationRequest, Resolution, Ruleset, Waiter
from pave.clients.models import ApiKey, Client
from webhooks.models import Delivery, Event, SigningSecret, Webhook

# What SigningSecretFactory gives, and the fixture `receiver` verifies with.
SECRET = "whsec_cGF2ZS10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5YWJjZGU="


class ClientFactory(DjangoModelFactory):
    class Meta:
        model = Client

    client_id = Sequence(lambda number: f"client-{number}")
    name = Faker("company")


class ApiKeyFactory(DjangoModelFactory):
    """A key's row; the key itself, shown once, comes from ``keys.issue``."""

    class Meta:
        model = ApiKey

    client = SubFactory(ClientFactory)
    name = "made by a factory"

    @classmethod
    def _create(cls, model_class: type[ApiKey], *args: object, **kwargs: object) -> ApiKey:
        key, _ = model_class.objects.create_key(**kwargs)
        return key


class WebhookFactory(DjangoModelFactory):
    """A webhook without secrets; see SigningSecretFactory."""

    class Meta:
        model = Webhook

    client = SubFactory(ClientFactory)
    url = "https://client.example/webhook"


class SigningSecretFactory(DjangoModelFactory):
    class Meta:
        model = SigningSecret

    webhook = SubFactory(WebhookFactory)
    secret = SECRET


class EventFactory(DjangoModelFactory):
    class Meta:
        model = Event

    client = SubFactory(ClientFactory)
    type = "normalization.completed"
    subject_id = Faker("uuid4", cast_to=None)
    body = b'{"type":"normalization.completed","data":{}}'
    created_at = LazyFunction(timezone.now)


class DeliveryFactory(DjangoModelFactory):
    """A delivery that is due."""

    class Meta:
        model = Delivery

    webhook = SubFactory(WebhookFactory)
    event = SubFactory(EventFactory)
    next_attempt_at = LazyFunction(timezone.now)
    created_at = LazyFunction(timezone.now)


class MerchantFactory(DjangoModelFactory):
    class Meta:
        model = Merchant

    name = Faker("company")


class AliasFactory(DjangoModelFactory):
    class Meta:
        model = Alias

    merchant = SubFactory(MerchantFactory)
    text = Faker("company")


class RulesetFactory(DjangoModelFactory):
    class Meta:
        model = Ruleset


class ResolutionFactory(DjangoModelFactory):
    """A resolution that is due to be worked on."""

    class Meta:
        model = Resolution

    key = Sequence(lambda number: f"resolution-{number}")
    ruleset = SubFactory(RulesetFactory)


class WaiterFactory(DjangoModelFactory):
    """A client that waits for a resolution, which is due."""

    class Meta:
        model = Waiter

    resolution = SubFactory(ResolutionFactory)
    client = SubFactory(ClientFactory)
    request = SubFactory(
        "tests.factories.NormalizationRequestFactory",
        client=SelfAttribute("..client"),
        resolution=SelfAttribute("..resolution"),
        status="processing",
    )
    since = LazyFunction(timezone.now)
    due_at = LazyFunction(timezone.now)


class NormalizationRequestFactory(DjangoModelFactory):
    """A request that waits for admission."""

    class Meta:
        model = NormalizationRequest

    client = SubFactory(ClientFactory)
    description = "NETFLIX.COM"
    created_at = LazyFunction(timezone.now)
