"""Kinds of values that several resources share."""

import json
from datetime import UTC
from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm.api.authentication import caller
from whatsapp import phones

MOST_BYTES = 32 * 1024


class Moment(serializers.DateTimeField):
    """Shown in UTC, wherever the company is."""

    def to_representation(self, value: Any) -> Any:
        return value and value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JSONObject(serializers.JSONField):
    """An object that PostgreSQL can keep, of a size that a row can bear."""

    wanted: type = dict
    default_error_messages = {
        "shape": _("Expected an object."),
        "size": _("At most 32 KB fit here."),
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, self.wanted):
            self.fail("shape")
        if len(json.dumps(data)) > MOST_BYTES:
            self.fail("size")
        return data


@extend_schema_field({"type": "string", "pattern": r"^\+\d{6,20}$", "nullable": True, "example": "+51900555014"})
class Phone(serializers.CharField):
    """E.164; null for who has none."""

    def to_representation(self, value: str) -> str | None:  # type: ignore[override]
        return f"+{value}" if value else None


@extend_schema_field({"type": "string", "example": "+51 900 555 014"})
class PhoneInput(serializers.CharField):
    """Any spelling, as digits; a number without a country code is one of the company's country."""

    def to_internal_value(self, data: Any) -> str:
        country = caller(self.context["request"]).tenant.default_country
        return readings(super().to_internal_value(data), country)[0]


class TimezoneField(serializers.CharField):
    default_error_messages = {"unknown": _("This is not a time zone, like America/Lima.")}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if text and text not in available_timezones():
            self.fail("unknown")
        return text


def readings(raw: str, default_country: str) -> list[str]:
    """What somebody may mean who typed this: a number of the company's country, or international digits without “+”.

    Raises ValidationError when it is neither.
    """
    found, refusals = [], []
    for country in (default_country, None):
        try:
            found.append(phones.normalise(raw, country))
        except phones.NotAPhone as refusal:
            refusals.append(str(refusal))
    if not found:
        raise serializers.ValidationError(refusals[0])
    return found
