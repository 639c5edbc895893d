"""What people send from the inbox: checked here for shape; whether it may be done is the domain's to say."""

import re
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.explanations import sentence
from crm.flows.sending import sendable
from crm.models import Conversation, Message, QuickReply, ReplyKind
from crm.outbound import CannotSend, check_shape
from crm.template_words import parameter_sentence
from tenants.models import Queue
from whatsapp import cards, interactive, phones, places, template_filling
from whatsapp.interactive import FLOW, MOST_FLOW_LABEL, offering
from whatsapp.models import Flow, Template
from whatsapp.outgoing import Contacts, Interactive, Location, Outgoing, Text
from whatsapp.outgoing import Template as TemplateContent

# What a text may ask for with a button under it, by the name that addresses give it.
ASKED = {ReplyKind.LOCATION.value: interactive.LOCATION, ReplyKind.PHONE.value: interactive.PHONE}


class MessageText(forms.CharField):
    """What somebody typed: a browser sends line ends as two characters, WhatsApp counts them as one."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class MessageForm(forms.Form):
    """A text, and the message it answers if it quotes one. `client_id` makes a double click one message.

    With `options`, one a line, it goes out as buttons or as a list to choose from; with `asks`, as the request for the
    customer's location or phone; with `flow`, with a button that opens that form.
    """

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    quoted = forms.ModelChoiceField(Message.objects.none(), required=False, widget=forms.HiddenInput)
    text = MessageText(
        strip=True,
        max_length=Text.MAX_LENGTH,
        widget=forms.Textarea,
        error_messages={
            "required": _("Write something first."),
            "max_length": _("WhatsApp takes at most 4,096 characters; this has %(show_value)d. Shorten the message."),
        },
    )

    options = forms.CharField(required=False, max_length=2000, widget=forms.Textarea)
    asks = forms.ChoiceField(
        required=False, choices=[(name, name) for name in ASKED], widget=forms.HiddenInput, initial=""
    )
    flow = forms.ModelChoiceField(
        Flow.objects.none(),
        required=False,
        error_messages={"invalid_choice": _("This form is not published for this number. Choose another one.")},
    )
    flow_label = forms.CharField(required=False, max_length=MOST_FLOW_LABEL)

    def __init__(self, *args: Any, conversation: Conversation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quoted"].queryset = Message.objects.filter(conversation=conversation)  # type: ignore[attr-defined]
        self.fields["flow"].queryset = sendable(conversation.number)  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the person."""
        quoted = self.cleaned_data["quoted"]
        return {
            "content": self._said(),
            "client_id": self.cleaned_data["client_id"],
            "quoted_message_id": (quoted.provider_message_id or "") if quoted else "",
        }

    def _said(self) -> Outgoing:
        given = self.cleaned_data
        flow = given["flow"]
        kind = given["asks"] or (ReplyKind.FLOW if flow else ReplyKind.CHOICES)
        return said_with(
            kind,
            given["text"],
            options=given["options"],
            flow_id=str(flow.pk) if flow else "",
            flow_label=given["flow_label"],
        )


def said_with(
    kind: str, text: str, *, options: str = "", flow_id: str = "", flow_label: str = "", product: str = ""
) -> Outgoing:
    """The text with what the kind of reply sends along, in the language of who writes.

    `options` are one a line; words that stand on no button fall back to our own.
    """
    if kind in ASKED:
        return Interactive(kind=ASKED[kind], body=text)
    if kind == ReplyKind.FLOW:
        label = flow_label.strip() or gettext("Open the form")
        return Interactive(kind=FLOW, body=text, label=label, flow={"id": flow_id})
    if kind == ReplyKind.PRODUCT:
        return Interactive(kind=interactive.PRODUCT, body=text, product={"id": product.strip()})
    lines = [line for line in options.splitlines() if line.strip()] if kind == ReplyKind.CHOICES else []
    return offering(text, lines, label=gettext("See options")) if lines else Text(body=text)


class QuickReplyForm(forms.ModelForm):
    """Prepared words; what WhatsApp would refuse is said when they are written, not when they are sent.

    `kind` says what goes out with them: what was written for another kind is not kept.
    """

    kind = forms.ChoiceField(choices=ReplyKind.choices, required=False)

    class Meta:
        model = QuickReply
        fields = ["shortcut", "text", "options", "asks", "flow", "flow_label", "product", "queue"]

    # What of the row each kind needs; a fault is shown there.
    _NEEDS: ClassVar[dict[str, str]] = {
        ReplyKind.CHOICES: "options",
        ReplyKind.FLOW: "flow",
        ReplyKind.PRODUCT: "product",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["kind"] = self.instance.kind
        self.fields["queue"].queryset = Queue.objects.all()  # type: ignore[attr-defined]
        self.fields["flow"].queryset = Flow.objects.sendable()  # type: ignore[attr-defined]
        self.fields["shortcut"] = forms.CharField(max_length=31)
        self.fields["text"] = MessageText(max_length=Text.MAX_LENGTH)

    def clean_shortcut(self) -> str:
        shortcut = self.cleaned_data["shortcut"].strip().removeprefix("/").lower()
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,29}", shortcut):
            raise forms.ValidationError(_("Write a short word of letters, digits, “-” and “_”, like envio."))
        if QuickReply.objects.filter(shortcut=shortcut).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(_("There is one with this name. Choose another, or change that one."))
        return shortcut

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        kind = cleaned.get("kind") or (ReplyKind.CHOICES if cleaned.get("options") else ReplyKind.TEXT)
        cleaned["asks"] = kind if kind in ASKED else ""
        for other, name in self._NEEDS.items():
            if other != kind:
                cleaned[name] = None if name == "flow" else ""
        if kind != ReplyKind.FLOW:
            cleaned["flow_label"] = ""
        elif not cleaned.get("flow") and "flow" not in self.errors:
            self.add_error("flow", _("Choose a form."))
        if cleaned.get("text"):
            given = {name: cleaned.get(name) or "" for name in ("options", "flow_label", "product")}
            try:
                check_shape(said_with(kind, cleaned["text"], **given))
            except CannotSend as refusal:
                self.add_error(self._NEEDS.get(kind, "text"), refusal.explanation)
        return cleaned


class LocationForm(forms.Form):
    """A point on the map: coordinates, or the address of a map that shows it."""

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    point = forms.CharField(
        label=_("Coordinates or address of a map"),
        max_length=2000,
        error_messages={"required": sentence(places.NO_POINT)},
    )
    name = forms.CharField(label=_("Name of the place"), max_length=places.MOST_NAME, required=False)
    address = forms.CharField(label=_("Address"), max_length=places.MOST_NAME, required=False)

    def clean_point(self) -> tuple[float, float]:
        point = places.read(self.cleaned_data["point"])
        if point is None:
            raise forms.ValidationError(sentence(places.NO_POINT))
        return point

    def content(self) -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the person."""
        latitude, longitude = self.cleaned_data["point"]
        content = Location(latitude, longitude, self.cleaned_data["name"], self.cleaned_data["address"])
        return {"content": content, "client_id": self.cleaned_data["client_id"]}


class ProductForm(forms.Form):
    """A product of the number's catalogue, with a word about it."""

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    product = forms.CharField(
        label=_("Product’s id in the catalogue"),
        max_length=interactive.MOST_PRODUCT,
        error_messages={"required": sentence(interactive.NO_PRODUCT)},
    )
    words = forms.CharField(label=_("A word about it"), max_length=interactive.DEFAULT_MOST_TEXT, required=False)

    def content(self) -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the person."""
        product, words = self.cleaned_data["product"].strip(), self.cleaned_data["words"].strip()
        content = Interactive(kind=interactive.PRODUCT, body=words, product={"id": product})
        return {"content": content, "client_id": self.cleaned_data["client_id"]}


class CardForm(forms.Form):
    """Somebody to get in touch with: a name and a phone, as people write them."""

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    name = forms.CharField(label=_("Name"), max_length=200, error_messages={"required": sentence(cards.NO_NAME)})
    phone = forms.CharField(label=_("Phone"), max_length=40, error_messages={"required": sentence(cards.NO_PHONE)})
    company = forms.CharField(label=_("Company"), max_length=200, required=False)
    email = forms.EmailField(label=_("E-mail"), required=False)

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.country = country

    def clean_phone(self) -> str:
        phone = self.cleaned_data["phone"]
        try:
            phones.normalise(phone, self.country)
        except phones.NotAPhone:
            raise forms.ValidationError(
                _("This is no phone number. Write it with its country code, like +51 …")
            ) from None
        return phone

    def content(self) -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the person."""
        given = {name: self.cleaned_data[name] for name in ("name", "phone", "company", "email")}
        content = Contacts([cards.card(**given, country=self.country)])
        return {"content": content, "client_id": self.cleaned_data["client_id"]}


class FilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """One or several files; each is checked as one is."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        given = data if isinstance(data, list | tuple) and data else [data or None]
        return [super(FilesField, self).clean(each, initial) for each in given]


class FilesForm(forms.Form):
    """Files, and the words that go with the first. `voice` marks a recording, `shrink` lets a large video be made smaller."""

    MOST_FILES = 10

    client_id = forms.UUIDField()
    quoted = forms.ModelChoiceField(Message.objects.none(), required=False)
    uploads = FilesField(
        error_messages={"required": _("Choose a file."), "empty": _("This file is empty.")}, allow_empty_file=False
    )
    text = MessageText(strip=True, required=False, max_length=Text.MAX_LENGTH)
    voice = forms.BooleanField(required=False)
    shrink = forms.BooleanField(required=False)

    def __init__(self, *args: Any, conversation: Conversation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["quoted"].queryset = Message.objects.filter(conversation=conversation)  # type: ignore[attr-defined]

    def clean_uploads(self) -> list[Any]:
        files = self.cleaned_data["uploads"]
        if len(files) > self.MOST_FILES:
            raise forms.ValidationError(_("Send at most 10 files at a time."))
        return files

    @property
    def quoted_id(self) -> str:
        quoted = self.cleaned_data["quoted"]
        return (quoted.provider_message_id or "") if quoted else ""


class Parameter(forms.CharField):
    """What stands in one place of a template; what Meta would refuse is said at its field."""

    default_error_messages = {"required": parameter_sentence(template_filling.EMPTY)}

    def __init__(self) -> None:
        super().__init__(max_length=1024)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if found := template_filling.fault(value):
            raise forms.ValidationError(parameter_sentence(found))


class TemplateMessageForm(forms.Form):
    """A template with what it needs, each in a field named as its slot: `var_<name>`, `head_file`, `button_<n>` …"""

    client_id = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    template = forms.ModelChoiceField(
        Template.objects.none(),
        error_messages={
            "required": _("Choose a template."),
            "invalid_choice": _("This template is no longer approved. Choose another one."),
        },
    )

    def __init__(self, *args: Any, conversation: Conversation, chosen: Template | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["template"].queryset = templates_for(conversation)  # type: ignore[attr-defined]
        self.slots = (chosen.slots or []) if chosen else []
        for slot in self.slots:
            self.fields[slot.key] = FILE_FIELDS[slot.kind]() if slot.kind in FILE_FIELDS else Parameter()

    @property
    def values(self) -> dict[str, str]:
        """What stands in the template's places now, right or wrong, by the keys of its slots: for the preview."""
        return {slot.key: self[slot.key].value() or "" for slot in self.slots if slot.kind not in FILE_FIELDS}

    @property
    def rows(self) -> list[tuple[template_filling.Slot, forms.BoundField]]:
        """Each slot with its field, in the order of reading."""
        return [(slot, self[slot.key]) for slot in self.slots]

    @property
    def upload(self) -> Any:
        """The file of the header, if one was chosen."""
        return self.cleaned_data.get("head_file")

    def content(self, *, filename: str = "") -> dict[str, Any]:
        """The arguments of `outbound.compose` that come from the person. `filename`: that of the header's file."""
        template: Template = self.cleaned_data["template"]
        texts = {slot.key: self.cleaned_data[slot.key] for slot in self.slots if slot.kind not in FILE_FIELDS}
        kinds = [slot.kind for slot in self.slots if slot.kind in FILE_FIELDS]
        content = TemplateContent(
            name=template.name,
            language=template.language,
            category=template.category,
            components=template_filling.filled(template.components, texts),
            preview=template.filled({name: texts.get(f"var_{name}", "") for name in template.variables}),
            media_kind=kinds[0] if kinds else "",
            filename=filename,
        )
        return {"content": content, "client_id": self.cleaned_data["client_id"]}


def _file_field() -> forms.FileField:
    messages = {"required": _("Choose a file."), "empty": _("This file is empty.")}
    return forms.FileField(error_messages=messages)


FILE_FIELDS = dict.fromkeys(("image", "video", "document"), _file_field)


def templates_for(conversation: Conversation) -> Any:
    """The templates of the number's business account, approved or not."""
    return Template.objects.filter(waba_id=conversation.number.waba_id).order_by("name", "language")
