"""What went wrong without anybody noticing."""

import pytest

from crm.inbound import draining


@pytest.fixture
def mishaps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the drain had to say of a batch or a webhook; a deadlock is among it, although it is merged afterwards."""
    said: list[str] = []
    for level in ("warning", "exception"):
        monkeypatch.setattr(draining.log, level, lambda text, *args, **more: said.append(text))
    return said
