"""The database and Python fold and part words alike, or a person would be kept under a word that nobody can type."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.models.contacts import beginnings_of

pytestmark = pytest.mark.django_db
LETTERS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFFF, exclude_categories=("Cs", "Cn"))
    | st.sampled_from("áÑüÇ✨🌸ﬁŠłß字")
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=LETTERS.filter(lambda text: "@" not in text and not any(each.isdigit() for each in text)))
def test_a_name_typed_as_it_is_finds_its_own_words(db, name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT crm_words_of_contact(%s, '', '{}')", [name])
        kept = [row[0] for row in cursor.fetchall()]

    for beginning in beginnings_of(name):
        assert any(word.startswith(beginning) for word in kept), (beginning, kept)
