"""People who write to us. Every member of the company sees all of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from crm import contacts, erasing
from crm.api import examples
from crm.api.authentication import administrator, caller
from crm.api.erasures import ErasureFilters, ErasureSerializer
from crm.api.errors import ASKING, CHANGING, FORBIDDEN, READING, READING_ONE, ProblemSerializer, Refused
from crm.api.fields import JSONObject, PhoneInput, TimezoneField, readings
from crm.api.resource import Resource
from crm.api.serializers import ContactSerializer
from crm.models import Contact, ErasureDoor, ErasureReason, Identity, IdentityKind
from whatsapp import phones
from whatsapp.events import Person


class PhoneFilter(serializers.CharField):
    """A phone in any spelling, as the contacts it may belong to."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        read = readings(super().run_validation(data), caller(self.context["request"]).tenant.default_country)
        keys = [phones.canonical(phone) for phone in read]
        return Identity.objects.filter(kind=IdentityKind.PHONE, value__in=keys).values("contact_id")


class ContactFilters(serializers.Serializer):
    phone = PhoneFilter(required=False, help_text="Any spelling: `+51 900 555 014`, `51900555014`, `900555014`.")
    label = serializers.CharField(required=False, max_length=60)  # type: ignore[assignment]
    search = serializers.CharField(required=False, max_length=100, help_text="Words of the name, username or phone.")


class ContactChange(serializers.Serializer):
    """What we know of a person ourselves. `labels` and `attributes` replace what was there."""

    name = serializers.CharField(
        max_length=200, allow_blank=True, required=False, help_text="Empty: the name on WhatsApp is shown."
    )
    email = serializers.EmailField(max_length=254, allow_blank=True, required=False)
    labels = serializers.ListField(child=serializers.CharField(max_length=60), max_length=50, required=False)
    attributes = JSONObject(required=False)
    timezone = TimezoneField(max_length=64, allow_blank=True, required=False)
    marketing = serializers.ChoiceField(
        choices=["agreed", "stopped"], required=False, help_text="What they told you of our marketing."
    )

    def validate_labels(self, labels: list[str]) -> list[str]:
        return list(dict.fromkeys(labels))


class ContactInput(ContactChange):
    phone = PhoneInput(
        required=False, help_text="Any spelling; without a country code it is one of the company's country."
    )

    def validate(self, given: Any) -> Any:
        if not any(given.get(name) for name in ("phone", "name", "email")):
            raise serializers.ValidationError({"phone": _("Give a phone, a name or an e-mail at least.")})
        return given


class KnownSerializer(ProblemSerializer):
    contact = serializers.UUIDField(help_text="Who has this phone.")


@extend_schema(tags=["contacts"])
@extend_schema_view(
    list=extend_schema(
        summary="List contacts, newest first",
        parameters=[ContactFilters],
        responses={200: ContactSerializer(many=True)} | READING,
        examples=[examples.CONTACT],
    ),
    retrieve=extend_schema(
        summary="Show a contact", responses={200: ContactSerializer} | READING_ONE, examples=[examples.CONTACT]
    ),
)
class Contacts(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Contact.objects.prefetch_related("identities")
    serializer_class = ContactSerializer

    def filter_queryset(self, queryset: Any) -> Any:
        if self.action != "list":
            return queryset
        asked = self.asked_for(ContactFilters).validated_data
        if "phone" in asked:
            queryset = queryset.filter(pk__in=asked["phone"])
        if "label" in asked:
            queryset = queryset.labelled(asked["label"])
        return queryset.matching(asked.get("search", ""))

    @extend_schema(
        summary="Add a contact",
        request=ContactInput,
        responses={201: ContactSerializer, 409: OpenApiResponse(KnownSerializer, "Somebody has this phone already.")}
        | CHANGING,
        examples=[examples.NEW_CONTACT, examples.CONTACT],
    )
    def create(self, request: Request) -> Response:
        given = self.given(ContactInput).validated_data
        try:
            contact = contacts.create(tenant_id=caller(request).tenant_id, phone=given.pop("phone", ""), now=self.now)
        except contacts.CannotChange as refusal:
            known = {"detail": refusal.explanation, "contact": refusal.contact.pk}  # type: ignore[union-attr]
            return Response(KnownSerializer(known).data, status.HTTP_409_CONFLICT)
        self._change(contact, given)
        return Response(self.get_serializer(contact).data, status.HTTP_201_CREATED)

    @extend_schema(
        summary="Change a contact",
        request=ContactChange,
        responses={200: ContactSerializer} | CHANGING,
        examples=[examples.CONTACT_CHANGE, examples.CONTACT],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        contact = self.get_object()
        self._change(contact, self.given(ContactChange).validated_data)
        return Response(self.get_serializer(contact).data)

    @extend_schema(
        summary="Erase a contact, for good",
        description=(
            "For owners and admins. They are gone from every page and answer at once, and from everything else within"
            " minutes: `erasures/{id}/` says when it is done. It cannot be undone."
        ),
        parameters=[ErasureFilters],
        request=None,
        responses={202: ErasureSerializer} | ASKING | {403: FORBIDDEN},
        examples=[examples.ERASURE],
    )
    def destroy(self, request: Request, pk: str) -> Response:
        contact = self.get_object()
        administrator(request)
        asked = self.asked_for(ErasureFilters).validated_data
        try:
            erasure = erasing.ask(
                contact.pk,
                tenant_id=caller(request).tenant_id,
                reason=ErasureReason(asked["reason"]),
                door=ErasureDoor.API,
                by=caller(request),
                now=self.now,
            )
        except erasing.NotNow as refusal:
            raise Refused(reason="busy", explanation=refusal.explanation) from None
        except erasing.CannotErase as refusal:  # somebody was faster
            raise NotFound(refusal.explanation) from None
        return Response(ErasureSerializer(erasure).data, status.HTTP_202_ACCEPTED)

    def _change(self, contact: Contact, given: dict[str, Any]) -> None:
        wish = given.pop("marketing", "")
        if given or not wish:
            contacts.change(contact, given, now=self.now)
        if wish:
            contacts.wish_marketing(contact, wanted=wish == "agreed", now=self.now)


def contact_by_phone(phone: str, *, tenant_id: UUID, now: datetime) -> tuple[Contact, bool]:
    """The contact with this phone in any of its spellings, or a new one; the second value is whether it is new."""
    return contacts.by_person(Person(phone=phone), tenant_id=tenant_id, now=now)
