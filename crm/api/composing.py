"""Reading a message to send: JSON in, the closed vocabulary of `whatsapp.outgoing` out. The rules are `crm.outbound`'s."""

import mimetypes
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from uuid_utils.compat import uuid7

from crm.api.authentication import caller
from crm.api.fields import JSONObject
from crm.api.references import as_uuid
from crm.media.outgoing import NewFile, content_of
from crm.models import Conversation, Message
from whatsapp import cards, interactive, phones, places
from whatsapp.models import Template as StoredTemplate
from whatsapp.outgoing import KINDS, MEDIA, Contacts, Interactive, Location, Outgoing, Reaction, Template, Text
from whatsapp.template_content import normalised_language

_TEXT_SCHEMA = {
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": Text.MAX_LENGTH},
        {
            "type": "object",
            "required": ["body"],
            "properties": {
                "body": {"type": "string", "minLength": 1, "maxLength": Text.MAX_LENGTH},
                "preview_url": {"type": "boolean", "default": True},
            },
        },
    ]
}


@extend_schema_field(_TEXT_SCHEMA)
class TextInput(serializers.Serializer):
    """`"Hola"` or `{"body": "Hola", "preview_url": false}`."""

    body = serializers.CharField(max_length=Text.MAX_LENGTH, trim_whitespace=False)
    preview_url = serializers.BooleanField(default=True)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            return super().to_internal_value(data)
        try:
            return super().to_internal_value({"body": data})
        except serializers.ValidationError as error:
            raise serializers.ValidationError(error.detail["body"]) from None  # type: ignore[call-overload]

    def validate_body(self, body: str) -> str:
        if not body.strip():
            self.fields["body"].fail("blank")
        return body


class ComponentInput(JSONObject):
    """One of Meta's template components: its `parameters`, if any, are a list of objects."""

    default_error_messages = {"parameters": _("“parameters” must be a list of objects.")}

    def to_internal_value(self, data: Any) -> Any:
        component = super().to_internal_value(data)
        parameters = component.get("parameters", [])
        if not isinstance(parameters, list) or not all(isinstance(parameter, dict) for parameter in parameters):
            self.fail("parameters")
        return component


@extend_schema_field(
    {
        "oneOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"type": "string"}},
        ]
    }
)
class VariablesInput(serializers.Field):
    """The body's variables: `["Rosa", "lunes"]` in order of appearance, or `{"name": "Rosa"}` by name."""

    value = serializers.CharField(max_length=1024)

    def to_internal_value(self, data: Any) -> dict[str, str] | list[str]:
        if isinstance(data, list):
            return [self.value.run_validation(item) for item in data]
        if isinstance(data, Mapping):
            return {str(name): self.value.run_validation(item) for name, item in data.items()}
        raise serializers.ValidationError(_("Expected a list or an object of texts."))

    def to_representation(self, value: Any) -> Any:
        return value


class TemplateInput(serializers.Serializer):
    name = serializers.CharField(max_length=512)
    language = serializers.CharField(max_length=10, help_text="As Meta spells it: `es`, `es_PE`, `pt_BR` …")
    components = serializers.ListField(
        child=ComponentInput(),
        max_length=20,
        required=False,
        help_text="Meta's own. A button that opens a Flow needs none; data given for its first screen is kept.",
    )
    variables = VariablesInput(required=False, help_text="Instead of components: what the body's variables become.")

    def validate_language(self, language: str) -> str:
        return normalised_language(language)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "components" in attrs and "variables" in attrs:
            raise serializers.ValidationError({"variables": [_("Give either components or variables.")]})
        return attrs


class OptionInput(serializers.Serializer):
    id = serializers.CharField(
        max_length=interactive.MOST_ID, required=False, help_text="Comes back; the title if left out."
    )
    title = serializers.CharField(max_length=interactive.MOST_ROW)
    description = serializers.CharField(
        max_length=interactive.MOST_DESCRIPTION, required=False, allow_blank=True, help_text="Of a list's row."
    )


class FlowInput(serializers.Serializer):
    """A published Flow of the number's business account. One with an endpoint begins with what the endpoint says."""

    id = serializers.CharField(max_length=64, help_text="Our id of the Flow, or Meta's.")
    screen = serializers.CharField(max_length=100, required=False, help_text="To begin with; the first if left out.")
    data = JSONObject(  # type: ignore[assignment]
        required=False, help_text="For that screen, beside what we know of the contact."
    )


class InteractiveInput(serializers.Serializer):
    """A text that is answered by a tap."""

    kind = serializers.ChoiceField(choices=[(kind, kind) for kind in interactive.KINDS])
    body = serializers.CharField(
        max_length=4096, trim_whitespace=False, allow_blank=True, default="", help_text="A `product` may go without."
    )
    options = serializers.ListField(
        child=OptionInput(), max_length=interactive.MOST_ROWS, required=False, help_text="Three buttons, or ten rows."
    )
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=interactive.MOST_FLOW_LABEL,
        required=False,
        allow_blank=True,
        help_text="Opens the list, the link (20 characters) or the Flow (30).",
    )
    url = serializers.CharField(
        max_length=interactive.MOST_URL, required=False, allow_blank=True, help_text="Of `cta_url`."
    )
    product = serializers.CharField(
        max_length=interactive.MOST_PRODUCT,
        required=False,
        allow_blank=True,
        help_text="Of `product`: its id in the number's catalogue.",
    )
    flow = FlowInput(required=False, help_text="Of `flow`.")
    header = serializers.CharField(max_length=interactive.MOST_AROUND, required=False, allow_blank=True)
    footer = serializers.CharField(max_length=interactive.MOST_AROUND, required=False, allow_blank=True)


class LocationInput(serializers.Serializer):
    """A point on the map, in degrees."""

    latitude = serializers.FloatField(min_value=-90, max_value=90)
    longitude = serializers.FloatField(min_value=-180, max_value=180)
    name = serializers.CharField(max_length=places.MOST_NAME, required=False, allow_blank=True)
    address = serializers.CharField(max_length=places.MOST_NAME, required=False, allow_blank=True)


@extend_schema_field(
    {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"oneOf": [{"type": "string", "minLength": 1}, {"type": "object"}]},
            "phone": {"type": "string"},
            "company": {"type": "string"},
            "email": {"type": "string"},
        },
    }
)
class CardInput(JSONObject):
    """`{"name": "Rosa Quispe", "phone": "+51 900 555 014"}` with `company` and `email`, or a card in WhatsApp's own shape."""

    default_error_messages = {
        "phone": _("This is no phone number. Write it with its country code, like +51 …"),
        "name": _("Each contact needs a name."),
    }

    def to_internal_value(self, data: Any) -> Any:
        given = super().to_internal_value(data)
        if isinstance(given.get("name"), dict):
            return given
        named = {key: str(given.get(key) or "")[:200] for key in ("name", "phone", "company", "email")}
        if not named["name"].strip():
            self.fail("name")
        try:
            return cards.card(**named, country=caller(self.context["request"]).tenant.default_country)
        except phones.NotAPhone:
            self.fail("phone")


class ReactionInput(serializers.Serializer):
    message_id = serializers.CharField(max_length=200, help_text="Our id of the message, or the provider's.")
    emoji = serializers.CharField(max_length=32, allow_blank=True, help_text="Empty: take ours away.")


class FileInput(serializers.Serializer):
    """A file at a public https address: fetched by us, then handed to WhatsApp; the message waits for it."""

    link = serializers.URLField(max_length=2000, help_text="https, to a public address.")
    filename = serializers.CharField(max_length=200, required=False, allow_blank=True)
    caption = serializers.CharField(max_length=1024, required=False, allow_blank=True, help_text="Not with audio.")
    voice = serializers.BooleanField(default=False, help_text="Audio only: show it as a voice message.")

    default_error_messages = {"https": _("Give an address that begins with https://.")}

    def validate_link(self, link: str) -> str:
        if not link.lower().startswith("https://"):
            self.fail("https")
        return link


class MessageInput(serializers.Serializer):
    """`type` names the one object that must be there: `text`, `template`, `interactive` …, or the file's kind."""

    type = serializers.ChoiceField(choices=list(KINDS))
    text = TextInput(required=False)
    template = TemplateInput(required=False)
    interactive = InteractiveInput(required=False)
    location = LocationInput(required=False)
    contacts = serializers.ListField(child=CardInput(), min_length=1, max_length=cards.MOST_CARDS, required=False)
    reaction = ReactionInput(required=False)
    image = FileInput(required=False)
    video = FileInput(required=False)
    audio = FileInput(required=False)
    document = FileInput(required=False)
    sticker = FileInput(required=False)
    client_id = serializers.UUIDField(
        default=uuid7, help_text="Yours, one a message: sending the same again returns the message that is there."
    )
    quoted_message_id = serializers.CharField(
        max_length=200,
        required=False,
        allow_blank=True,
        help_text="The message this answers: our id or the provider's.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["type"] not in attrs:
            required = self.fields[attrs["type"]].error_messages["required"]
            raise serializers.ValidationError({attrs["type"]: [required]})
        return attrs

    def message(self, conversation: Conversation) -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the caller. Raises NotFound for what is not in there."""
        given = self.validated_data
        quoted = given.get("quoted_message_id", "")
        said = given[given["type"]]
        return {
            "content": _content(conversation, given["type"], said),
            "file": _file(said) if given["type"] in MEDIA else None,
            "client_id": given["client_id"],
            "quoted_message_id": provider_id(conversation, quoted) if quoted else "",
        }


def _content(conversation: Conversation, type: str, given: Any) -> Outgoing:
    if type == Template.type:
        components = given.get("components") or _components(conversation, given)
        return Template(name=given["name"], language=given["language"], components=components)
    if type == Interactive.type:
        options = [
            {"id": option["title"], **{name: text for name, text in option.items() if text}}
            for option in given.get("options", ())
        ]
        product = {"id": given["product"]} if given.get("product") else {}
        return Interactive(**given | {"options": options, "product": product})
    if type == Location.type:
        return Location(**given)
    if type == Contacts.type:
        return Contacts(given)
    if type == Reaction.type:
        return Reaction(target_id=provider_id(conversation, given["message_id"]), emoji=given["emoji"])
    if type in MEDIA:
        filename = given.get("filename") or PurePosixPath(urlsplit(given["link"]).path).name
        return content_of(
            MEDIA[type], filename=filename[:200], caption=given.get("caption", ""), is_voice=given["voice"]
        )
    return Text(**given)


def _file(given: dict[str, Any]) -> NewFile:
    filename = given.get("filename") or PurePosixPath(urlsplit(given["link"]).path).name
    return NewFile(
        mime_type=mimetypes.guess_type(filename)[0] or "",
        filename=filename[:200],
        source_url=given["link"],
        is_voice=given["voice"],
    )


def provider_id(conversation: Conversation, wanted: str) -> str:
    """WhatsApp's id of a message of this conversation, named by that id or by ours. Raises NotFound."""
    key = as_uuid(wanted)
    named = {"pk": key} if key else {"provider_message_id": wanted}
    found = Message.objects.filter(conversation=conversation, provider_message_id__isnull=False, **named)
    if message_id := found.values_list("provider_message_id", flat=True).first():
        return message_id
    raise NotFound(_("WhatsApp has no such message in this conversation."))


def _components(conversation: Conversation, given: dict[str, Any]) -> list[dict[str, Any]]:
    """Meta's components for the values of the body's variables; whether they are complete, `compose` judges."""
    stored = StoredTemplate.objects.filter(
        waba_id=conversation.number.waba_id, name=given["name"], language=given["language"]
    ).first()
    values = given.get("variables")
    if stored is None or not values:
        return []
    if isinstance(values, list):
        pairs = list(zip_longest(stored.variables, values, fillvalue=""))
    else:
        pairs = [(name, values.get(name, "")) for name in stored.variables]
    if all(name.isdigit() for name, _value in pairs):
        pairs.sort(key=lambda pair: int(pair[0]))  # Meta counts from {{1}}, wherever that stands
    return [{"type": "body", "parameters": [_parameter(name, value) for name, value in pairs]}]


def _parameter(name: str, value: str) -> dict[str, str]:
    parameter = {"type": "text", "text": value}
    return parameter if name.isdigit() or not name else parameter | {"parameter_name": name}
