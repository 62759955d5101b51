"""Tasks are pickles, so only what Pave itself has signed may be unpacked."""

import pickle

import pytest
from django.conf import settings
from django_q.brokers import get_broker
from django_q.conf import Conf
from django_q.models import OrmQ
from django_q.signing import BadSignature, SignedPackage

from webhooks.wakeups import SEND

unpickled = []


class Trap:
    """Unpickled, it notes that."""

    def __reduce__(self):
        return unpickled.append, ("sprung",)


def test_a_pickle_without_a_signature_is_not_unpacked():
    with pytest.raises(BadSignature):
        SignedPackage.loads(pickle.dumps(Trap()).hex())
    assert unpickled == []


def test_a_pickle_signed_with_another_key_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(Conf, "SECRET_KEY", "another-key")
    forged = SignedPackage.dumps(Trap())
    monkeypatch.setattr(Conf, "SECRET_KEY", settings.SECRET_KEY)
    with pytest.raises(BadSignature):
        SignedPackage.loads(forged)
    assert unpickled == []


@pytest.mark.django_db(transaction=True)
def test_a_wakeup_holds_no_more_than_the_name_of_a_task():
    OrmQ.objects.all().delete()
    SEND.send()
    [(_, package)] = get_broker("quick").dequeue()
    task = SignedPackage.loads(package)
    assert task["func"] == "webhooks.tasks.send"
    assert task["args"] == ()
    assert task["kwargs"] == {}
