"""Points on the map: read from what people copy out of a map, judged, and said in words.

The shapes of the addresses are those that Google Maps, OpenStreetMap, Apple Maps and Waze show or share today (2026-11).
A shortened address (`maps.app.goo.gl`) names no point; only the site behind it knows.
"""

import math
import re

from whatsapp.outgoing import Location

MOST_NAME = 1000
# What is wrong with one; `crm.explanations` says it to a person.
NO_POINT, NAME_TOO_LONG = "place_point", "place_name"

_NUMBER = r"(-?\d{1,3}(?:\.\d+)?)"
_POINTS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"^\s*\(?\s*{_NUMBER}\s*[,;\s]\s*{_NUMBER}\s*\)?\s*$",  # typed or copied: -12.0464, -77.0428
        rf"!3d{_NUMBER}!4d{_NUMBER}",  # Google: the place itself, where @ is only the middle of the view
        rf"[?&](?:q|ll|query|destination|daddr|center|sll)=(?:loc:)?{_NUMBER}(?:,|%2C){_NUMBER}",
        rf"[?&]mlat={_NUMBER}&mlon={_NUMBER}",  # OpenStreetMap's marker
        rf"#map=\d+(?:\.\d+)?/{_NUMBER}/{_NUMBER}",
        rf"/@{_NUMBER},{_NUMBER}",
        rf"^geo:{_NUMBER},{_NUMBER}",
    )
)


def read(text: str) -> tuple[float, float] | None:
    """Latitude and longitude of coordinates or of a map's address; None where no point on Earth stands in it."""
    for pattern in _POINTS:
        if found := pattern.search(text):
            point = float(found[1]), float(found[2])
            return point if _is_on_earth(*point) else None
    return None


def fault(content: Location) -> str:
    """What WhatsApp would refuse, as one of the words above; empty where it is well formed."""
    if not _is_on_earth(content.latitude, content.longitude):
        return NO_POINT
    return NAME_TOO_LONG if max(len(content.name), len(content.address)) > MOST_NAME else ""


def in_words(content: Location) -> str:
    """The place as a text with the map's address, for who can get no location."""
    point = f"{content.latitude:.6f},{content.longitude:.6f}"
    return "\n".join(filter(None, [content.name, content.address, f"https://maps.google.com/?q={point}"]))


def _is_on_earth(latitude: float, longitude: float) -> bool:
    return math.isfinite(latitude) and math.isfinite(longitude) and abs(latitude) <= 90 and abs(longitude) <= 180
