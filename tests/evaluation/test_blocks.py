"""The rule keeps what docs/block-detection.md says of it, on a smaller world."""

from crm.blocking import Level
from tests.evaluation.blocks import evaluate


def test_it_is_right_far_more_often_than_the_fixed_rule_and_finds_most():
    found = evaluate(700, seed=5)
    fixed, ours = found.scores["fixed", Level.PROBABLE], found.scores["evidence", Level.PROBABLE]
    # Whoever gave their number up looks the same as a blocker to everybody.
    wrong = ours.wrong.total() - ours.wrong["gone"]
    assert len(ours.right) / (len(ours.right) + wrong) > 0.75
    assert ours.precision > 2 * fixed.precision
    assert len(ours.right & found.detectable) / len(found.detectable) > 0.7
