"""Webhooks as clients send and see them."""

from rest_framework import serializers

from pave.api.fields import TextField
from webhooks.addresses import AddressError
from webhooks.endpoints import address_policy


class URLField(TextField):
    """An address that webhooks may be sent to."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(max_length=2048, **kwargs)

    def to_internal_value(self, data: str) -> str:
        """Return the URL, or refuse it with the reason.

        A name that cannot be resolved yet is refused too: a typing error is far likelier than an
        endpoint that is still to be made.
        """
        url = super().to_internal_value(data)
        try:
            address_policy().check_resolves(url)
        except AddressError as error:
            raise serializers.ValidationError(str(error)) from error
        return url


class CreateWebhookSerializer(serializers.Serializer):
    """The body of the seed's route."""

    url = URLField()
    client_id = TextField(max_length=64, required=False)
