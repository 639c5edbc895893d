"""A point on the map is read from whatever people copy out of a map, and nothing else is one."""

import math
from dataclasses import replace

import pytest

from whatsapp import places
from whatsapp.outgoing import Location, from_payload

SHOP = Location(-12.1219, -77.0297, name="Tienda Miraflores", address="Av. Larco 345")


@pytest.mark.parametrize(
    "copied",
    [
        "-12.1219, -77.0297",
        "  (-12.1219 -77.0297) ",
        "-12.1219;-77.0297",
        "https://www.google.com/maps/place/Tienda/@-12.2,-77.9,17z/data=!3m1!4b1!4m6!3m5!1s0x9!8m2!3d-12.1219!4d-77.0297",
        "https://www.google.com/maps/@-12.1219,-77.0297,17z",
        "https://maps.google.com/?q=-12.1219,-77.0297",
        "https://www.google.com/maps/search/?api=1&query=-12.1219%2C-77.0297",
        "https://www.openstreetmap.org/?mlat=-12.1219&mlon=-77.0297#map=17/1/2",
        "https://www.openstreetmap.org/#map=17/-12.1219/-77.0297",
        "https://maps.apple.com/?ll=-12.1219,-77.0297&q=Tienda",
        "https://waze.com/ul?ll=-12.1219,-77.0297&navigate=yes",
        "geo:-12.1219,-77.0297?z=17",
    ],
)
def test_a_point_is_read_from_what_maps_show(copied):
    assert places.read(copied) == (-12.1219, -77.0297)


@pytest.mark.parametrize(
    "typed",
    ["", "Av. Larco 345, Miraflores", "-12.1219", "91, 0", "0, 181", "https://maps.app.goo.gl/AbC", "51 900 555 014",
     "1" * 2000],
)  # fmt: skip
def test_what_names_no_point_on_earth_is_none(typed):
    assert places.read(typed) is None


def test_a_place_survives_its_row_and_is_known_by_its_name():
    assert places.fault(SHOP) == ""
    assert from_payload("location", SHOP.as_payload()) == SHOP
    assert SHOP.text_shown == "Tienda Miraflores" and replace(SHOP, name="").text_shown == "Av. Larco 345"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"latitude": 90.1}, places.NO_POINT),
        ({"longitude": -180.5}, places.NO_POINT),
        ({"latitude": math.nan}, places.NO_POINT),
        ({"longitude": math.inf}, places.NO_POINT),
        ({"address": "a" * 1001}, places.NAME_TOO_LONG),
    ],
)
def test_what_whatsapp_would_refuse_is_said_before(change, wrong):
    assert places.fault(replace(SHOP, **change)) == wrong


def test_in_words_it_has_the_address_of_a_map():
    assert places.in_words(SHOP) == "Tienda Miraflores\nAv. Larco 345\nhttps://maps.google.com/?q=-12.121900,-77.029700"
    assert places.read(places.in_words(SHOP).splitlines()[-1]) == (-12.1219, -77.0297)
