"""Meta's words reach a person in their own language, and those of tomorrow as Meta writes them."""

import pytest
from django.utils.translation import override

from whatsapp.meta_words import said


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("PENDING", "pending"),
        ("connected", "connected"),
        ("RESTRICTED_BIZ_INITIATED_MESSAGING", "no conversation can be begun"),
        ("A_WORD_OF_TOMORROW", "a word of tomorrow"),
        ("", ""),
    ],
)
def test_a_word_is_said_plainly(word, shown):
    with override("en"):
        assert said(word) == shown


def test_it_is_said_in_the_readers_language():
    with override("es"):
        assert said("PENDING") == "pendiente"
