"""Addresses that forge: refused for a minute, forgotten when there are too many of them."""

from whatsapp import strangers
from whatsapp.strangers import MOST_FORGED, Strangers


def test_each_address_counts_for_itself():
    known = Strangers()
    for _ in range(MOST_FORGED):
        known.saw("198.51.100.1", genuine=False)
    assert known.is_refused("198.51.100.1")
    assert not known.is_refused("198.51.100.2")


def test_slow_ones_are_not_refused(monkeypatch):
    known, now = Strangers(), 0.0
    for second in range(MOST_FORGED * 3):
        now = second * 1.5
        monkeypatch.setattr(strangers, "monotonic", lambda now=now: now)
        known.saw("198.51.100.1", genuine=False)
    assert not known.is_refused("198.51.100.1")


def test_an_hour_after_the_last_genuine_one_it_is_a_stranger_again(monkeypatch):
    known = Strangers()
    monkeypatch.setattr(strangers, "monotonic", lambda: 0.0)
    known.saw("198.51.100.1", genuine=True)
    monkeypatch.setattr(strangers, "monotonic", lambda: strangers.TRUSTED_SECONDS + 1)
    for _ in range(MOST_FORGED):
        known.saw("198.51.100.1", genuine=False)
    assert known.is_refused("198.51.100.1")


def test_only_so_many_are_remembered(monkeypatch):
    monkeypatch.setattr(strangers, "MOST_KNOWN", 3)
    known = Strangers()
    for place in range(10):
        known.saw(f"198.51.100.{place}", genuine=False)
    assert len(known._callers) == 3
