"""Conversations a member may see, and what happens to them. Who may see which is the queryset's to say."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm import routing
from crm.api import examples
from crm.api.authentication import caller
from crm.api.contacts import PhoneFilter, contact_by_phone
from crm.api.errors import ASKING, READING, READING_ONE, Refused
from crm.api.fields import PhoneInput
from crm.api.pagination import LastTalkFirst
from crm.api.references import NOBODY, ContactReference, MemberReference, NumberReference, QueueReference
from crm.api.resource import Resource
from crm.api.serializers import ConversationSerializer
from crm.models import Contact, Conversation, ConversationStatus
from tenants.models import Queue


class ConversationFilters(serializers.Serializer):
    phone = PhoneFilter(required=False, help_text="Any spelling: `+51 900 555 014`, `51900555014`, `900555014`.")
    status = serializers.ChoiceField(choices=ConversationStatus.choices, required=False)
    queue = QueueReference(is_filter=True, required=False, help_text="Id or name.")
    number = NumberReference(is_filter=True, required=False, help_text="Id or Meta's phone number id.")
    assignee = MemberReference(is_filter=True, required=False, help_text="Id of a member, `me` or `nobody`.")
    waiting = serializers.BooleanField(required=False, help_text="Whether a customer wrote and nobody has answered.")

    def narrow(self, conversations: Any) -> Any:
        asked = self.validated_data
        if "phone" in asked:
            conversations = conversations.filter(contact_id__in=asked["phone"])
        if "assignee" in asked:
            assignee = None if asked["assignee"] == NOBODY else asked["assignee"]
            conversations = conversations.filter(assignee=assignee)
        if "waiting" in asked:
            waiting = {"status": ConversationStatus.OPEN, "waiting_since__isnull": False}
            conversations = conversations.waiting() if asked["waiting"] else conversations.exclude(**waiting)
        exact = {name: asked[name] for name in ("status", "queue", "number") if name in asked}
        return conversations.filter(**exact)


class ConversationInput(serializers.Serializer):
    """With whom, and from which of our numbers: a `contact` that is known, or a `phone`."""

    number = NumberReference(help_text="Id or Meta's phone number id.")
    contact = ContactReference(required=False, help_text="Id.")
    phone = PhoneInput(required=False, help_text="Any spelling.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("contact" in attrs) == ("phone" in attrs):
            raise serializers.ValidationError({"phone": [_("Give either a contact or a phone.")]})
        return attrs


class AssignmentInput(serializers.Serializer):
    assignee = MemberReference(allow_null=True, help_text="Id of a member, `me`, or null for nobody.")


class TransferInput(serializers.Serializer):
    queue = QueueReference(help_text="Id or name.")
    assignee = MemberReference(allow_null=True, default=None, help_text="Id of a member, `me`, or null for nobody yet.")


class SnoozeInput(serializers.Serializer):
    until = serializers.DateTimeField(help_text="Without an offset it is the company's local time.")


def _routes(summary: str, *sent: Any, request: Any = None) -> Any:
    return extend_schema(
        summary=summary,
        request=request,
        responses={200: ConversationSerializer} | ASKING,
        examples=[*sent, examples.CONVERSATION],
    )


@extend_schema(tags=["conversations"])
@extend_schema_view(
    list=extend_schema(
        summary="List conversations, last talk first",
        parameters=[ConversationFilters],
        responses={200: ConversationSerializer(many=True)} | READING,
        examples=[examples.CONVERSATION],
    ),
    retrieve=extend_schema(
        summary="Show a conversation",
        responses={200: ConversationSerializer} | READING_ONE,
        examples=[examples.CONVERSATION],
    ),
)
class Conversations(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = (
        Conversation.objects.select_related("contact", "number", "queue", "assignee__user")
        # Sealed: opening two secrets a row only to drop them costs more than the row.
        .defer("number__token", "number__verify_token")
        .prefetch_related("contact__identities")
    )
    serializer_class = ConversationSerializer
    pagination_class = LastTalkFirst

    def get_queryset(self) -> Any:
        visible: Any = super().get_queryset()
        return visible.visible_to(caller(self.request))

    def filter_queryset(self, queryset: Any) -> Any:
        return self.asked_for(ConversationFilters).narrow(queryset) if self.action == "list" else queryset

    @extend_schema(
        summary="Start a conversation",
        description="Answers 200 with the conversation that is there, if there is one. Nothing is sent yet.",
        request=ConversationInput,
        responses={200: ConversationSerializer, 201: ConversationSerializer} | ASKING,
        examples=[examples.NEW_CONVERSATION, examples.CONVERSATION],
    )
    def create(self, request: Request) -> Response:
        given = self.given(ConversationInput).validated_data
        with transaction.atomic():
            contact = given.get("contact") or self._contact(given["phone"])
            conversation, created = Conversation.objects.get_or_create(
                number=given["number"],
                contact=contact,
                defaults={"tenant_id": caller(request).tenant_id, "queue": _queue_of(given["number"])},
            )
            visible = self.get_queryset().filter(pk=conversation.pk).first()
            if visible is None:
                raise Refused(reason="other_queue", explanation=_("A queue you are not in answers this contact."))
        return self._shown(visible, status.HTTP_201_CREATED if created else status.HTTP_200_OK)

    @_routes("Close a conversation")
    @action(detail=True, methods=["post"])
    def close(self, request: Request, pk: str) -> Response:
        return self._route(routing.close)

    @_routes("Open a conversation again")
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        return self._route(routing.reopen)

    @_routes("Give a conversation to a member, or to nobody", examples.ASSIGNMENT, request=AssignmentInput)
    @action(detail=True, methods=["post"])
    def assign(self, request: Request, pk: str) -> Response:
        return self._route(routing.assign, AssignmentInput)

    @_routes("Hand a conversation to another queue", examples.TRANSFER, request=TransferInput)
    @action(detail=True, methods=["post"])
    def transfer(self, request: Request, pk: str) -> Response:
        return self._route(routing.transfer, TransferInput)

    @_routes("Put a conversation aside until a moment", examples.SNOOZE, request=SnoozeInput)
    @action(detail=True, methods=["post"])
    def snooze(self, request: Request, pk: str) -> Response:
        return self._route(routing.snooze, SnoozeInput)

    @_routes("Mark a conversation as read")
    @action(detail=True, methods=["post"])
    def read(self, request: Request, pk: str) -> Response:
        conversation = self.get_object()
        routing.mark_read(conversation=conversation, now=self.now)
        return self._shown(conversation)

    def _route(self, change: Any, input_class: Any = None) -> Response:
        conversation = self.get_object()
        given = self.given(input_class).validated_data if input_class else {}
        try:
            change(conversation=conversation, actor=caller(self.request), now=self.now, **given)
        except routing.CannotRoute as refusal:
            raise Refused(reason="cannot_route", explanation=refusal.explanation) from None
        return self._shown(conversation)

    def _contact(self, phone: str) -> Contact:
        contact, _is_new = contact_by_phone(phone, tenant_id=caller(self.request).tenant_id, now=self.now)
        return contact

    def _shown(self, conversation: Conversation, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(conversation).data, code)


def _queue_of(number: Any) -> Queue:
    """The queue that answers the number, else triage."""
    return number.queue or Queue.objects.get(is_triage=True)
