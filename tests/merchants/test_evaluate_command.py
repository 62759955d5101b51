"""``evaluate`` with files that are not as they should be."""

import io

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"description,merchant\nNETFLIX,Netflix\nNETFLIX\n", "line 3: no merchant"),
        (b"description\nNETFLIX\n", "no column merchant"),
        (b"description,merchant\n\xff,x\n", "can't decode"),
    ],
)
def test_a_file_that_has_no_labels_is_refused(tmp_path, content, why):
    labelled = tmp_path / "labelled.csv"
    labelled.write_bytes(content)
    with pytest.raises(CommandError, match=why):
        call_command("evaluate", labelled)


def test_rows_may_lack_other_columns_and_have_more_cells(tmp_path):
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("description,merchant,group\nNETFLIX,Netflix\nNETFLIX,Netflix,a,more\n")
    output = io.StringIO()
    call_command("evaluate", labelled, json=True, stdout=output)
    assert '"rows": 2' in output.getvalue()
