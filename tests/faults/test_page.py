"""The page of what was found: whole after a whole run, renewed in part after a part's."""

import pytest

from tests.faults import report
from tests.faults.flakes import Tally
from tests.faults.report import Row


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "rows", [Row("proof", "the key off", "5 kills", "**5 double**"),
                                         Row("F4", "sessions ended", "120", "**0 lost**")])  # fmt: skip
    report.write(tmp_path / "faults.md", seconds=7)
    return tmp_path / "faults.md"


def test_a_part_that_ran_later_renews_its_rows_and_says_of_which_commit_they_are(page, monkeypatch):
    before = page.read_text()
    monkeypatch.setattr(report, "rows", [Row("F4", "sessions ended", "240", "**1 lost**"),
                                         Row("G16", "a pooler", "100", "**0 seen**")])  # fmt: skip

    report.renew(page)

    rows = page.read_text().splitlines()[-3:]
    assert [row.split(" | ")[0] for row in rows] == ["| F4", "| G16", "| proof"]
    assert "**1 lost** (commit " in rows[0]
    assert rows[2] == before.splitlines()[-1]
    assert page.read_text().split("\n\n")[:-1] == before.split("\n\n")[:-1]


def test_flakes_are_counted_by_test():
    tally = Tally()
    for failed in (False, True, False, True):
        tally.add({"test_a::test_one": failed, "test_a::test_two": False}, seconds=30)

    assert tally.share == 0.25
    assert tally.found == "**2 failed** of 8 (25.00%); 2 × `test_a::test_one`"
