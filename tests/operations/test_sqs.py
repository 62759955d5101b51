"""PAVE_BROKER=sqs, against an SQS that moto plays in this process."""

import socket

import boto3
import pytest
from botocore.config import Config
from django_q.conf import Conf
from django_q.signing import SignedPackage
from moto import mock_aws

from pave.operations.cluster.brokers import sqs
from pave.operations.cluster.wakeup import MAX_WAITING, Wakeup

WAKEUP = Wakeup(task="merchants.tasks.resolve", queue="heuristic", debounced=False)


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-tests")
    monkeypatch.setattr(Conf, "ORM", None)
    monkeypatch.setattr(Conf, "SQS", {"aws_region": "us-east-1"})
    monkeypatch.setattr(Conf, "BROKER_CLASS", "pave.operations.cluster.brokers.sqs.broker")
    sqs._broker.cache_clear()
    played = mock_aws()
    played.start()
    yield played
    played.stop()
    sqs._broker.cache_clear()


def test_a_wakeup_goes_through_the_queue_and_is_acknowledged():
    WAKEUP._send(1)
    broker = sqs.broker("heuristic")
    assert broker.queue_size() == 1
    [(receipt, package)] = broker.dequeue()
    assert SignedPackage.loads(package)["func"] == "merchants.tasks.resolve"
    broker.acknowledge(receipt)
    assert (broker.queue_size(), broker.lock_size()) == (0, 0)


def test_no_more_bells_wait_than_may():
    for _ in range(5):
        WAKEUP._send(4)
    assert sqs.broker("heuristic").queue_size() == MAX_WAITING


def test_queues_bear_a_name_that_is_paves():
    sqs.broker("quick")
    sqs.broker("heuristic")
    urls = boto3.client("sqs", "us-east-1").list_queues()["QueueUrls"]
    assert sorted(url.rpartition("/")[2] for url in urls) == ["pave-heuristic", "pave-quick"]


def test_a_queue_that_is_there_is_used():
    first = sqs.broker("quick")
    first.enqueue("task")
    sqs._broker.cache_clear()
    assert sqs.broker("quick").queue_size() == 1


def test_who_sends_a_wakeup_waits_for_no_silent_sqs(aws, monkeypatch):
    monkeypatch.setattr(sqs, "SENDING", sqs.SENDING.merge(Config(read_timeout=0.3)))
    aws.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", f"http://{host}:{port}")
        for _ in range(5):
            WAKEUP._send(1)
        silent.settimeout(0)
        silent.accept()
        with pytest.raises(BlockingIOError):
            silent.accept()
    aws.start()
