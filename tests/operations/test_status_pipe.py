import os

import pytest

from pave.operations.cluster.status_pipe import Report, Reporter, Reports


@pytest.fixture
def pipe():
    read_end, write_end = os.pipe()
    yield Reports(read_end), Reporter(write_end), write_end
    for number in (read_end, write_end):
        try:
            os.close(number)
        except OSError:
            pass


def test_a_supervisor_reads_the_reports_of_its_cluster(pipe):
    reports, reporter, _ = pipe
    reporter.alive()
    reporter.lost_worker(12, timed_out=False)
    reporter.lost_worker(13, timed_out=True)
    reporter.stalled("process_killed")
    assert list(reports.read()) == [
        Report("alive", ""),
        Report("worker_died", "12"),
        Report("worker_timed_out", "13"),
        Report("stalled", "process_killed"),
    ]
    assert list(reports.read()) == []


def test_half_a_line_waits_for_its_other_half(pipe):
    reports, _, write_end = pipe
    os.write(write_end, b"worker_di")
    assert list(reports.read()) == []
    os.write(write_end, b"ed 7\n")
    assert list(reports.read()) == [Report("worker_died", "7")]


def test_a_supervisor_that_does_not_read_blocks_no_cluster(pipe):
    _, reporter, _ = pipe
    for _ in range(20_000):
        reporter.alive()


def test_a_cluster_notices_that_its_supervisor_is_gone(pipe):
    reports, reporter, _ = pipe
    reports.close()
    reporter.alive()
    assert reporter.supervisor_is_gone
