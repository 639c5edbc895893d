"""A definition says everything that is wrong with it at once, and whatever comes in is either read or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequences.definition import Definition, Incomplete

GOOD = {
    "steps": [
        {"title": "Recordatorio", "delay": {"count": 2, "unit": "hours"}, "variants": [{"text": "hola"}]},
        {
            "delay": {"weekday": 1, "at": "10:00"},
            "variants": [
                {"text": "a", "template": {"name": "carrito", "language": "es", "variables": {"1": "{name}"}}}
            ],
        },
        {"is_manual": True, "variants": [{"text": "llamar"}], "priority": 0},
    ],
    "quiet_from": "22:00",
    "stop_label": "compró",
    "max_cost": "0.50",
}


def test_what_was_written_is_read_again_unchanged():
    definition = Definition.read(GOOD)
    assert [len(step.variants) for step in definition.steps] == [1, 1, 1]
    assert Definition.read(json.loads(json.dumps(definition.as_json()))) == definition


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(Incomplete) as wrong:
        Definition.read(
            {
                "steps": [
                    {"variants": [{"text": " "}]},
                    {"delay": {"count": -1, "unit": "weeks"}, "variants": [{"text": "x" * 4097}]},
                    {"is_manual": True},
                    {"delay": {"weekday": 2}, "variants": [{"text": "hola"}]},
                ],
                "weekdays": [],
                "quiet_from": "25:00",
                "max_cost": "mucho",
            }
        )
    assert sorted(wrong.value.faults) == [
        (0, "cost"), (0, "no_weekday"), (0, "time"), (1, "says_nothing"), (2, "delay"), (2, "delay"), (2, "text_too_long"),
        (3, "no_instruction"), (4, "time"),
    ]  # fmt: skip


PLACE = {"at": "-12.1219, -77.0297", "name": "Tienda"}
CARD = {"name": "Luis", "phone": "+51 900 555 015"}


@pytest.mark.parametrize(
    ("variant", "faults"),
    [
        ({"place": PLACE}, []),
        ({"card": CARD}, []),
        ({"form": {"id": "1", "label": "Abrir"}, "text": "Tus datos"}, []),
        ({"form": {"id": "1", "label": "Abrir"}}, ["form_alone", "says_nothing"]),
        ({"form": {"id": "1", "label": ""}, "text": "Tus datos"}, ["flow_label"]),
        ({"form": {"id": "1", "label": "Abrir"}, "text": "x", "options": ["a"]}, ["form_with"]),
        ({"form": {"id": "1", "label": "Abrir"}, "text": "x", "card": CARD}, ["goes_alone"]),
        ({"place": PLACE | {"at": "cerca del parque"}}, ["place_point"]),
        ({"place": PLACE | {"name": "a" * 1001}}, ["place_name"]),
        ({"card": CARD | {"phone": "12"}}, ["card_unreadable_phone"]),
        ({"card": CARD | {"name": ""}}, ["card_name"]),
        ({"place": PLACE, "card": CARD}, ["goes_alone"]),
        ({"place": PLACE, "text": "aquí"}, ["goes_alone"]),
        ({"card": CARD, "file": {"id": "1", "kind": "image"}}, ["goes_alone"]),
    ],
)
def test_a_place_or_a_contact_goes_alone(variant, faults):
    definition = {"steps": [{"variants": [variant]}]}
    if not faults:
        read = Definition.read(definition)
        assert Definition.read(json.loads(json.dumps(read.as_json()))) == read
        assert read.steps[0].variants[0].says_something
        return
    with pytest.raises(Incomplete) as wrong:
        Definition.read(definition)
    assert [fault for _step, fault in wrong.value.faults] == faults


@pytest.mark.parametrize("nothing", [None, [], {}, "", 5, {"steps": []}, {"steps": "abc"}, {"steps": [None, 7]}])
def test_nothing_is_no_sequence(nothing):
    with pytest.raises(Incomplete):
        Definition.read(nothing)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "steps",
                    "variants",
                    "delay",
                    "text",
                    "template",
                    "name",
                    "weekdays",
                    "count",
                    "unit",
                    "at",
                    "weekday",
                    "max_cost",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_whatever_comes_in_is_read_or_refused(value):
    try:
        assert Definition.read(value).steps
    except Incomplete as wrong:
        assert wrong.faults
