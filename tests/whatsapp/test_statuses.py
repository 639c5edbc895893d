from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp.statuses import IMPLIED, RANK, REPORTED, Status, is_reported, merged, merged_all, reached

reports = st.lists(st.sampled_from([*sorted(REPORTED), "deleted", "warning", ""]), max_size=8)


def test_ranks_follow_a_message_on_its_way():
    assert sorted(RANK, key=RANK.__getitem__) == [
        "queued", "sending", "unknown", "accepted", "sent", "failed", "delivered", "read", "played",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("current", "incoming", "after"),
    [
        ("accepted", "sent", "sent"),
        ("read", "sent", "read"),
        ("read", "delivered", "read"),
        ("read", "played", "played"),
        ("sent", "read", "read"),
        ("sent", "failed", "failed"),
        ("accepted", "failed", "failed"),
        ("delivered", "failed", "delivered"),
        ("read", "failed", "read"),
        ("played", "failed", "played"),
        ("failed", "delivered", "delivered"),
        ("failed", "read", "read"),
        ("failed", "sent", "failed"),
        ("unknown", "sent", "sent"),
        ("sending", "delivered", "delivered"),
        ("queued", "failed", "failed"),
        ("sent", "sent", "sent"),
        ("sent", "deleted", "sent"),
        ("sent", "queued", "sent"),
        ("a status of another version", "sent", "sent"),
    ],
)
def test_a_report_moves_a_message_only_forward(current, incoming, after):
    assert merged(current, incoming) == after


@given(start=st.sampled_from(list(RANK)), words=reports)
def test_the_order_of_reports_does_not_matter(start, words):
    results = {merged_all(start, order) for order in permutations(words[:5])}

    assert len(results) == 1


@given(start=st.sampled_from(list(RANK)), words=reports)
def test_a_second_delivery_of_the_same_reports_changes_nothing(start, words):
    once = merged_all(start, words)

    assert merged_all(once, words) == once


def test_a_read_message_was_delivered_and_a_failed_one_was_not():
    assert reached("read", Status.DELIVERED)
    assert reached("sent", Status.SENT)
    assert not reached("failed", Status.DELIVERED)
    assert not reached("failed", Status.SENT)
    assert not reached("sent", Status.DELIVERED)


def test_a_status_proves_only_lower_ones():
    assert all(RANK[earlier] < RANK[later] for later, proofs in IMPLIED.items() for earlier in proofs)


def test_a_provider_cannot_report_what_only_we_decide():
    assert not is_reported("queued")
    assert not is_reported("deleted")
    assert is_reported("delivered")
