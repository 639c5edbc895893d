"""What the API shows: one shape a noun. Input is read beside the view that takes it."""

from typing import Any

from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from crm.api.fields import JSONObject, Moment, Phone
from crm.models import Attachment, Contact, Conversation, Identity, Message
from crm.template_words import why_not
from tenants.models import Membership, Queue
from whatsapp.capabilities import CAPABILITIES
from whatsapp.flows.forms import Field, Screen
from whatsapp.models import Flow, Number, Template
from whatsapp.window import WindowState


class Shape(serializers.ModelSerializer):
    # What is shown of a row; nothing is written through it. (A docstring would describe every shape in the schema.)
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {models.DateTimeField: Moment}

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields


class MemberSerializer(Shape):
    """One of our people."""

    name = serializers.CharField(source="user.get_full_name", read_only=True)

    class Meta:
        model = Membership
        fields = ["id", "name"]


class QueueNameSerializer(Shape):
    """A queue, in short."""

    class Meta:
        model = Queue
        fields = ["id", "name"]


class SpanSerializer(serializers.Serializer):
    """A part of a day in which a queue is open. One that ends no later than it begins goes on past midnight."""

    weekday = serializers.IntegerField(help_text="0 is Monday.")
    begins = serializers.TimeField(format="%H:%M")
    ends = serializers.TimeField(format="%H:%M")


class QueueSerializer(Shape):
    """Which of our people answer. Exactly one queue of a company is triage."""

    members = MemberSerializer(many=True, read_only=True)
    hours = SpanSerializer(
        source="opening.spans",
        many=True,
        read_only=True,
        help_text="Empty: always open. On the wall clock of `timezone`.",
    )
    most_each = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Who has so many open conversations is given no more."
    )
    timezone = serializers.CharField(read_only=True, help_text="Empty: the company's.")

    class Meta:
        model = Queue
        fields = ["id", "name", "is_triage", "distribution", "most_each", "hours", "timezone", "members"]


class NumberNameSerializer(Shape):
    """A number, in short."""

    class Meta:
        model = Number
        fields = ["id", "alias", "phone_number_id", "display_number"]


class NumberSerializer(Shape):
    """A number without its secrets: the token never leaves."""

    queue = QueueNameSerializer(read_only=True, allow_null=True)
    can_send = serializers.BooleanField(read_only=True, help_text="False while it is paused or switched off.")

    class Meta:
        model = Number
        fields = [
            *NumberNameSerializer.Meta.fields,
            "provider",
            "waba_id",
            "queue",
            "is_active",
            "is_coexistence",
            "can_send",
            "paused_reason",
            "token_state",
            "quality",
        ]


class TemplateSerializer(Shape):
    """A message Meta has approved in one language: what may be sent when the window is closed."""

    body = serializers.CharField(read_only=True)
    footer = serializers.CharField(read_only=True)
    variables = serializers.ListField(child=serializers.CharField(), read_only=True)
    components = serializers.ListField(child=JSONObject(), read_only=True, help_text="Meta's, verbatim.")
    why_not = serializers.SerializerMethodField(help_text="Why it cannot be sent, in a sentence; empty when it can.")

    class Meta:
        model = Template
        fields = [
            "id",
            "name",
            "language",
            "category",
            "status",
            "waba_id",
            "body",
            "footer",
            "variables",
            "components",
            "quality",
            "reason",
            "why_not",
            "previous_category",
            "coming_category",
            "category_changes_at",
            "last_used_at",
            "synced_at",
        ]
        extra_kwargs = {
            "status": {"help_text": "Meta's word; only APPROVED can be sent."},
            "quality": {"help_text": "GREEN, YELLOW, RED or UNKNOWN; empty when Meta has not said."},
            "reason": {"help_text": "Why Meta rejected or paused it, in its word."},
            "coming_category": {"help_text": "What Meta has announced to make of it at `category_changes_at`."},
        }

    def get_why_not(self, template: Template) -> str:
        return why_not(template)


class FlowOptionSerializer(serializers.Serializer):
    id = serializers.CharField(help_text="What comes back in the answer.")
    title = serializers.CharField()


class FlowFieldSerializer(serializers.Serializer):
    """One thing that a form asks."""

    name = serializers.CharField(help_text="Of the contact's attribute that the answer becomes; `name` is their name.")
    label = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField(help_text="Meta's word: `TextInput`, `Dropdown`, `DatePicker` …")
    input_type = serializers.CharField(help_text="Of a `TextInput`: `email`, `number` …")
    required = serializers.BooleanField(source="is_required")  # type: ignore[assignment]
    options = serializers.SerializerMethodField(help_text="What can be chosen, where the form itself says so.")

    @extend_schema_field(FlowOptionSerializer(many=True))
    def get_options(self, field: Field) -> list[dict[str, str]]:
        return [{"id": id, "title": title} for id, title in field.options.items()]


class FlowScreenSerializer(serializers.Serializer):
    """One screen of a form, in the order of its file."""

    id = serializers.CharField()
    title = serializers.CharField()
    terminal = serializers.BooleanField(source="is_terminal", help_text="The form ends with it.")
    takes = serializers.SerializerMethodField(help_text="Names of the data that it can be begun with.")
    fields = FlowFieldSerializer(many=True)  # type: ignore[assignment]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_takes(self, screen: Screen) -> list[str]:
        return sorted(screen.takes)


class FlowSerializer(Shape):
    """A form that opens inside WhatsApp. All numbers of its business account share it."""

    meta_id = serializers.CharField(source="provider_flow_id", read_only=True, help_text="Empty: Meta has none yet.")
    categories = serializers.ListField(child=serializers.CharField(), read_only=True, help_text="Meta's words.")
    uses_endpoint = serializers.BooleanField(
        source="form.uses_endpoint", read_only=True, help_text="Phones ask us for its screens: its numbers need a key."
    )
    numbers = serializers.SerializerMethodField(help_text="Those that can send it now; empty unless it is published.")
    screens = FlowScreenSerializer(
        source="form.screens", many=True, read_only=True, help_text="Empty while there is no file that can be read."
    )

    class Meta:
        model = Flow
        fields = [
            "id",
            "meta_id",
            "name",
            "status",
            "categories",
            "waba_id",
            "uses_endpoint",
            "numbers",
            "screens",
            "created_at",
            "synced_at",
        ]
        extra_kwargs = {"status": {"help_text": "Meta's word; PUBLISHED and THROTTLED can be sent."}}

    @extend_schema_field(NumberNameSerializer(many=True))
    def get_numbers(self, flow: Flow) -> Any:
        return NumberNameSerializer(self.context["senders"][flow.pk], many=True).data


class IdentitySerializer(Shape):
    """One address of a contact; a phone's national variants are one."""

    class Meta:
        model = Identity
        fields = ["kind", "value"]


class ContactSerializer(Shape):
    """A person who writes to us; may have no phone at all."""

    name = serializers.SerializerMethodField(help_text="As our people wrote it, else the name on WhatsApp.")
    phone = Phone(read_only=True)
    email = serializers.CharField(read_only=True, help_text="Empty: not known.")
    identities = IdentitySerializer(many=True, read_only=True)
    attributes = JSONObject(read_only=True)

    class Meta:
        model = Contact
        fields = [
            "id",
            "name",
            "profile_name",
            "username",
            "phone",
            "email",
            "identities",
            "labels",
            "attributes",
            "timezone",
            "marketing_stopped",
            "marketing_consent_at",
            "created_at",
        ]

    def get_name(self, contact: Contact) -> str:
        return contact.name or contact.profile_name


class ConversationSerializer(Shape):
    """One contact and one of our numbers, for ever."""

    contact = ContactSerializer(read_only=True)
    number = NumberNameSerializer(read_only=True)
    queue = QueueNameSerializer(read_only=True)
    assignee = MemberSerializer(read_only=True, allow_null=True)
    window_state = serializers.SerializerMethodField(
        help_text="Whether free text may be sent: `open`, `soon` (under two hours left), `closed`; null: no such limit."
    )

    class Meta:
        model = Conversation
        fields = [
            "id",
            "contact",
            "number",
            "queue",
            "assignee",
            "status",
            "snoozed_until",
            "unread_count",
            "waiting_since",
            "last_message_at",
            "window_expires_at",
            "window_state",
            "created_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=[state.value for state in WindowState], allow_null=True))
    def get_window_state(self, conversation: Conversation) -> str | None:
        if not CAPABILITIES[conversation.number.provider].has_window:
            return None
        return conversation.window(self.context["now"]).state.value


class MessageErrorSerializer(serializers.Serializer):
    """Why a message did not go out."""

    reason = serializers.CharField(source="error_reason", help_text="Our word, the same for every provider.")
    code = serializers.IntegerField(source="error_code", allow_null=True, help_text="The provider's number.")
    detail = serializers.CharField(source="error_detail")


class CostSerializer(serializers.Serializer):
    """What a message costs: expected, and since the provider has said so, as charged."""

    amount = serializers.DecimalField(
        source="cost_amount",
        max_digits=10,
        decimal_places=5,
        allow_null=True,
        help_text="Null where no rate is known for the recipient's market.",
    )
    currency = serializers.CharField(source="cost_currency")
    category = serializers.SerializerMethodField()
    estimated = serializers.SerializerMethodField(help_text="True until the provider has said what it charged for.")

    def get_category(self, message: Message) -> str:
        return message.pricing_category or message.template_category or "service"

    def get_estimated(self, message: Message) -> bool:
        return not (message.pricing_category or message.pricing_type)


class EstimateSerializer(serializers.Serializer):
    """What sending something now would cost."""

    amount = serializers.DecimalField(
        max_digits=10,
        decimal_places=5,
        allow_null=True,
        help_text="Null where no rate is known for the market; zero only where it is free.",
    )
    currency = serializers.CharField(help_text="Empty where the provider charges nothing.")
    category = serializers.CharField()
    country = serializers.CharField(help_text="The recipient's, by calling code; ISO, like PE.")
    market = serializers.CharField(help_text="As Meta's rate card calls it.")
    free_entry = serializers.BooleanField(source="is_free_entry", help_text="Free because they came through an ad.")


class FileSerializer(Shape):
    """The file of a message. Its content is at `/api/v1/messages/{id}/file/` once `state` is `there`."""

    filename = serializers.CharField(read_only=True)

    class Meta:
        model = Attachment
        fields = ["mime_type", "filename", "size", "state", "failure", "width", "height", "seconds", "is_voice"]


class Payload(JSONObject):
    """The content without what would let a program speak as the customer: the token that opens a Flow."""

    def to_representation(self, value: Any) -> Any:
        flow = value.get("flow") if isinstance(value, dict) else None
        if not isinstance(flow, dict) or "token" not in flow:
            return super().to_representation(value)
        return super().to_representation(value | {"flow": {name: flow[name] for name in flow if name != "token"}})


class MessageSerializer(Shape):
    """One message, in or out."""

    payload = Payload(read_only=True, help_text="The content in full; its keys depend on `type`.")
    text = serializers.CharField(read_only=True, help_text="What lists show of it.")
    author = MemberSerializer(read_only=True, allow_null=True)
    file = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    cost = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = [
            "id",
            "conversation",
            "client_id",
            "direction",
            "source",
            "author",
            "type",
            "text",
            "payload",
            "file",
            "quoted_message_id",
            "status",
            "provider_message_id",
            "sent_at",
            "accepted_at",
            "delivered_at",
            "read_at",
            "created_at",
            "error",
            "cost",
        ]

    @extend_schema_field(FileSerializer(allow_null=True))
    def get_file(self, message: Message) -> dict[str, Any] | None:
        attachment = next(iter(message.attachments.all()), None)
        return FileSerializer(attachment).data if attachment else None

    @extend_schema_field(MessageErrorSerializer(allow_null=True))
    def get_error(self, message: Message) -> dict[str, Any] | None:
        return MessageErrorSerializer(message).data if message.error_reason else None

    @extend_schema_field(CostSerializer(allow_null=True))
    def get_cost(self, message: Message) -> dict[str, Any] | None:
        is_priced = message.pricing_category or message.cost_currency
        return CostSerializer(message).data if is_priced else None
