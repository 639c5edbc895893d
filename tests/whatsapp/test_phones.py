import pytest
from hypothesis import given
from hypothesis import strategies as st

from whatsapp.phones import NotAPhone, canonical, country, display, normalise, variants


@pytest.mark.parametrize(
    ("typed", "default_country", "digits"),
    [
        ("+51 900 555 014", None, "51900555014"),
        ("51900555014", None, "51900555014"),
        ("900 555 014", "PE", "51900555014"),
        ("900555014", "pe", "51900555014"),
        ("51900555014", "PE", "51900555014"),
        ("0051 900 555 014", "PE", "51900555014"),
        ("+51 900 555 014", "AR", "51900555014"),
        ("(01) 234-5678", "PE", "5112345678"),
        ("  +34 612 34 56 78 ", None, "34612345678"),
        ("(11) 98123-4567", "BR", "5511981234567"),
        ("(11) 8123-4567", "BR", "5511981234567"),  # as it was written before 2012
        ("+55 11 3234-5678", None, "551132345678"),  # a landline gets no 9
        ("+52 1 55 1234 5678", None, "525512345678"),
        ("55 1234 5678", "MX", "525512345678"),
        ("011 15 4444-5555", "AR", "5491144445555"),
        ("+54 11 4444-5555", None, "541144445555"),  # a landline stays one
        ("+1 555 000 1111", None, "15550001111"),  # Meta's test numbers are in no table
    ],
)
def test_what_people_type_becomes_international_digits(typed, default_country, digits):
    assert normalise(typed, default_country) == digits


@pytest.mark.parametrize(
    ("typed", "default_country", "sentence"),
    [
        ("", "PE", "There is no phone number."),
        ("   ", None, "There is no phone number."),
        ("hello", "PE", "is not a phone number"),
        ("123", "PE", "too short"),
        ("900555014 900555015", "PE", "too long"),
        ("1" * 300, "PE", "phone number"),
        ("900 555 014", "XX", "needs its country code"),
        ("999123", None, "needs its country code"),
        ("\x00", None, "not a phone number"),
    ],
)
def test_what_is_no_number_is_refused_with_a_sentence(typed, default_country, sentence):
    with pytest.raises(NotAPhone, match=sentence):
        normalise(typed, default_country)


@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("5511981234567", "5511981234567"),  # BR mobile, today's
        ("551181234567", "5511981234567"),  # BR mobile, old
        ("554899123456", "5548999123456"),
        ("551132345678", "551132345678"),  # BR landline
        ("551152345678", "551152345678"),
        ("525512345678", "525512345678"),
        ("5215512345678", "525512345678"),
        ("541144445555", "5491144445555"),
        ("5491144445555", "5491144445555"),
        ("549111234567", "549111234567"),  # too short to be either
        ("51900555014", "51900555014"),
        ("15215551234", "15215551234"),
        ("55", "55"),
        ("52", "52"),
        ("54", "54"),
        ("5", "5"),
        ("", ""),
        ("not a number", "not a number"),
        ("55ab6cdefghi", "55ab6cdefghi"),
        ("PE.1234567890", "PE.1234567890"),
    ],
)
def test_both_national_spellings_have_one_key(spelling, key):
    assert canonical(spelling) == key


@pytest.mark.parametrize(
    ("number", "spellings"),
    [
        ("551181234567", {"5511981234567", "551181234567"}),
        ("5511981234567", {"5511981234567", "551181234567"}),
        ("551132345678", {"551132345678"}),
        ("5215512345678", {"525512345678", "5215512345678"}),
        ("541144445555", {"5491144445555", "541144445555"}),
        ("51900555014", {"51900555014"}),
    ],
)
def test_variants_are_every_spelling_with_the_key_first(number, spellings):
    found = variants(number)

    assert set(found) == spellings
    assert found[0] == canonical(number)


@given(st.one_of(st.text(), st.from_regex(r"(55|52|521|54|549)[0-9]{8,11}", fullmatch=True)))
def test_every_variant_of_anything_has_the_same_key(text):
    assert {canonical(variant) for variant in variants(text)} == {canonical(text)}
    assert canonical(canonical(text)) == canonical(text)


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("51900555014", "+51 900 555 014"),
        ("5511981234567", "+55 11 98123-4567"),
        ("551181234567", "+55 11 98123-4567"),
        ("5215512345678", "+52 55 1234 5678"),
        ("5491144445555", "+54 9 11 4444-5555"),
        ("541144445555", "+54 11 4444-5555"),
        ("15550001111", "+1 555-000-1111"),
        ("", ""),
        ("PE.1234", "PE.1234"),
        ("999", "999"),
    ],
)
def test_a_number_is_shown_as_people_write_it(digits, shown):
    assert display(digits) == shown


@pytest.mark.parametrize(
    ("digits", "code"),
    [
        ("51900555014", "PE"),
        ("551181234567", "BR"),
        ("5215512345678", "MX"),
        ("14165550123", "CA"),
        ("15550001111", "US"),
        ("80012345678", None),
        ("999", None),
        ("", None),
        ("PE.1234", None),
    ],
)
def test_a_number_belongs_to_a_country(digits, code):
    assert country(digits) == code


@given(st.text(max_size=30))
def test_showing_anything_never_fails(text):
    assert isinstance(display(text), str)
    country(text)
