"""How a request names one of the company's things. Row security and `objects` show only the company's own."""

from typing import Any
from uuid import UUID

from django.db.models import Model, Q
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import NotFound

from crm.api.authentication import caller
from crm.models import Contact
from tenants.models import Membership, Queue
from whatsapp.models import Number

ME, NOBODY = "me", "nobody"


class Reference(serializers.CharField):
    """An id, or the value of `also`. One that names nothing is a 404 in a body, as in a path, and a 400 in a filter."""

    model: type[Model]
    also = ""
    default_error_messages = {
        "malformed": _("This is not an id."),
        "missing": _("There is nothing with this id."),
    }

    def __init__(self, *, is_filter: bool = False, **kwargs: Any) -> None:
        self.is_filter = is_filter
        super().__init__(**{"max_length": 200} | kwargs)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        text = super().run_validation(data)
        return text and self._named(text)

    def _named(self, text: str) -> Any:
        key = as_uuid(text)
        if key is None and not self.also:
            self.fail("malformed")
        found = self._rows().filter(Q(pk=key) if key else Q(**{self.also: text})).first()
        if found is None and self.is_filter:
            self.fail("missing")
        if found is None:
            raise NotFound(f"{self.field_name}: {self.error_messages['missing']}")
        return found

    def _rows(self) -> Any:
        return self.model._default_manager.all()


class NumberReference(Reference):
    """By our id or by Meta's phone number id."""

    model = Number
    also = "phone_number_id"


class QueueReference(Reference):
    """By id or by name, which is unique in a company whatever the case."""

    model = Queue
    also = "name__iexact"


class ContactReference(Reference):
    model = Contact


class MemberReference(Reference):
    """By id, or `me`; in a filter also `nobody`, which is passed on as it is."""

    model = Membership

    def _named(self, text: str) -> Any:
        if text == ME:
            return caller(self.context["request"])
        if text == NOBODY and self.is_filter:
            return NOBODY
        return super()._named(text)

    def _rows(self) -> Any:
        return super()._rows().select_related("user")


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
