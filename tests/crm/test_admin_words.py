"""The frame of the admin speaks the reader's language too."""

import re
from pathlib import Path

import pytest
import unfold
from django.utils import translation
from django.utils.translation import gettext

from crm.admin_words import WORDS

TEMPLATES = Path(unfold.__file__).parent / "templates"
# Django's own page for adding a user, which we do not have.
UNSEEN = {"After you've created a user, you’ll be able to edit more user options."}
# What is the same word in the other language.
SAME = {"es": {"General"}, "pt-br": set()}


@pytest.mark.parametrize("language", ["es", "pt-br"])
def test_nothing_in_its_pages_stays_english(language):
    said = {
        found[2] or found[3]
        for part in ("admin", "unfold", "registration")
        for page in (TEMPLATES / part).rglob("*.html")
        for found in re.finditer(r"""{%\s*trans(late)?\s+(?:"([^"]+)"|'([^']+)')""", page.read_text())
    }
    with translation.override(language):
        english = {text for text in (said - UNSEEN) | set(WORDS) if gettext(text) == text}

    assert len(said) > 80
    assert english - SAME[language] == set()
