"""One contact: what we know of them, their addresses, their conversations, and what was changed."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm import contacts, duplicates
from crm.explanations import no_phone
from crm.models import Contact, ContactMerge, Conversation, IdentityKind, Message
from crm.views.access import conversation_or_404, member_required
from crm.views.contacts import attributes, history
from crm.views.telling import told
from tenants import clock
from tenants.models import Tenant
from tenants.requests import MemberRequest
from whatsapp import phones as numbers
from whatsapp.models import Number


class PhoneField(forms.CharField):
    """A phone as a person writes it; its value is digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 40} | kwargs)
        self.country = ""

    def clean(self, value: Any) -> str:
        written = super().clean(value)
        if not written:
            return ""
        try:
            return numbers.normalise(written, self.country or None)
        except numbers.NotAPhone as error:
            raise forms.ValidationError(no_phone(error.sentence, error.raw)) from None


class ContactForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=200, required=False)
    email = forms.EmailField(label=gettext_lazy("E-mail"), max_length=254, required=False)


class NewContactForm(ContactForm):
    """A contact by hand: a phone or a name at least. With `number` their conversation opens at once."""

    phone = PhoneField(label=gettext_lazy("Phone"), required=False)
    label = forms.CharField(label=gettext_lazy("Label"), max_length=contacts.LABEL_LENGTH, required=False)
    number = forms.ModelChoiceField(Number.objects.none(), required=False)

    def __init__(self, *args: Any, country: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["phone"].country = country  # type: ignore[attr-defined]
        self.fields["number"].queryset = our_numbers()  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given.get("phone") and not given.get("name"):
            raise forms.ValidationError(_("Write a phone, or a name at least."))
        if not self.errors and given.get("number") and not given.get("phone"):
            self.add_error("phone", _("A conversation needs a phone."))
        return given


@member_required
@require_http_methods(["GET", "POST"])
def new(request: MemberRequest) -> HttpResponse:
    """Add a contact; with one of our numbers chosen, go on to the conversation with it."""
    country = Tenant.objects.get(pk=request.membership.tenant_id).default_country
    form = NewContactForm(request.POST if request.method == "POST" else None, country=country)
    known = None
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        labels = [given["label"]] if given["label"] else []
        values = {name: given[name] for name in ("name", "phone", "email")}
        try:
            contact = contacts.create(tenant_id=request.membership.tenant_id, labels=labels, now=clock.now(), **values)
        except contacts.CannotChange as refusal:
            known = refusal.contact
            form.add_error("phone", refusal.explanation)
        else:
            return (
                _to_conversation(request, contact, given["number"])
                if given["number"]
                else redirect("contact", contact.pk)
            )
    context = {"form": form, "known": known, "numbers": our_numbers(), "me": request.membership}
    return render(request, "crm/contacts/new.html", context, status=422 if form.errors else 200)


@member_required
@require_http_methods(["GET", "POST"])
def show(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """The page of one contact; POST saves name, e-mail and attributes."""
    contact = Contact.objects.filter(pk=contact_id).first()
    if contact is None:
        return redirect("contact", _merged_into_or_404(contact_id))
    if request.method == "GET":
        form = ContactForm(initial={"name": contact.name, "email": contact.email})
        return _page(request, contact, form, attributes.lines_of(contact.attributes))
    form = ContactForm(request.POST)
    kept, lines = attributes.read(request.POST, present=contact.attributes)
    if not form.is_valid() or any(line.error for line in lines):
        return _page(request, contact, form, lines, status=422)
    contacts.change(contact, form.cleaned_data | {"attributes": kept}, now=clock.now())
    messages.success(request, _("Saved."))
    return redirect("contact", contact.pk)


@member_required
@require_POST
def marketing(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """`wanted=1`: they told us that they agree to our marketing; `0`: that they want it no more."""
    contact = _contact_or_404(contact_id)
    contacts.wish_marketing(contact, wanted=request.POST.get("wanted") == "1", now=clock.now())
    return redirect("contact", contact.pk)


@member_required
@require_POST
def label(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """`add` a label or `remove` one."""
    contact = _contact_or_404(contact_id)
    written = request.POST.get("add", "").strip()
    if len(written) > contacts.LABEL_LENGTH:
        messages.error(request, _("A label has at most %(most)d letters.") % {"most": contacts.LABEL_LENGTH})
    else:
        contacts.label(contact, add=written, remove=request.POST.get("remove", ""), now=clock.now())
    return redirect("contact", contact.pk)


@member_required
@require_POST
def phones(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """`add` a phone, `remove` one, or write to one `first` (both by the id of the identity)."""
    contact, now = _contact_or_404(contact_id), clock.now()
    field = PhoneField(required=False)
    field.country = Tenant.objects.get(pk=request.membership.tenant_id).default_country
    act = next((name for name in ("remove", "first") if request.POST.get(name)), "")
    chosen = (
        contact.identities.filter(kind=IdentityKind.PHONE, value=request.POST.get(act, "")[:200]).first()
        if act
        else None
    )
    try:
        if act and chosen:
            (contacts.remove_phone if act == "remove" else contacts.write_to)(contact, chosen, now=now)
        elif digits := field.clean(request.POST.get("add", "")):
            contacts.add_phone(contact, digits, now=now)
    except (contacts.CannotChange, forms.ValidationError) as refusal:
        why = refusal.explanation if isinstance(refusal, contacts.CannotChange) else refusal.messages[0]
        form = ContactForm(initial={"name": contact.name, "email": contact.email})
        lines = attributes.lines_of(contact.attributes)
        extra = {
            "phone_error": why,
            "phone_written": request.POST.get("add", ""),
            "known": getattr(refusal, "contact", None),
        }
        return _page(request, contact, form, lines, status=422, **extra)
    return redirect("contact", contact.pk)


@member_required
@require_POST
def converse(request: MemberRequest, contact_id: UUID) -> HttpResponse:
    """Go to their conversation with one of our numbers, beginning it if there is none."""
    contact = _contact_or_404(contact_id)
    try:
        number = get_object_or_404(our_numbers(), pk=UUID(request.POST.get("number", "")))
    except ValueError:
        messages.error(request, _("Choose one of our numbers."))
        return redirect("contact", contact.pk)
    return _to_conversation(request, contact, number)


@member_required
@require_POST
def save_card(request: MemberRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Make contacts of the cards in a message."""
    conversation = conversation_or_404(request, conversation_id)
    message = get_object_or_404(Message.objects.filter(conversation=conversation), pk=message_id)
    country = Tenant.objects.get(pk=request.membership.tenant_id).default_country
    cards = (
        message.payload.get("contacts") if message.type == "contacts" and isinstance(message.payload, dict) else None
    )
    saved = contacts.save_card(cards, tenant_id=request.membership.tenant_id, country=country, now=clock.now())
    if not saved:
        return told(request, conversation, _("There is no phone on this card that can be saved."), kind="warn")
    sentence = ngettext("Saved as a contact: %(names)s.", "Saved as contacts: %(names)s.", len(saved))
    return told(request, conversation, sentence % {"names": ", ".join(each.shown_name for each in saved)})


def our_numbers() -> Any:
    return Number.objects.filter(is_active=True).defer("token", "verify_token").order_by("alias", "pk")


def _contact_or_404(contact_id: UUID) -> Contact:
    return get_object_or_404(Contact.objects.all(), pk=contact_id)


def _merged_into_or_404(contact_id: UUID) -> UUID:
    """Whose page an old link to a contact leads to, that is part of another one now."""
    merges = ContactMerge.objects.filter(merged_ids__contains=[contact_id], undone_at=None).defer("rows")
    return get_object_or_404(merges.order_by("-merged_at")[:1]).contact_id


def _to_conversation(request: MemberRequest, contact: Contact, number: Number) -> HttpResponse:
    with transaction.atomic():
        conversation = contacts.conversation_with(contact, number)
        is_visible = Conversation.objects.visible_to(request.membership).filter(pk=conversation.pk).exists()
        # One that is begun where its beginner may not look is not begun.
        transaction.set_rollback(not is_visible)
    if not is_visible:
        messages.warning(request, _("A queue you are not in answers this contact."))
        return redirect("contact", contact.pk)
    return redirect("conversation", conversation.pk)


def _page(
    request: MemberRequest,
    contact: Contact,
    form: Any,
    lines: list[attributes.Line],
    *,
    status: int = 200,
    **extra: Any,
) -> HttpResponse:
    now = clock.now()
    talks = (
        Conversation.objects.visible_to(request.membership)
        .filter(contact=contact)
        .select_related("queue", "assignee__user")
    )
    merges = ContactMerge.objects.filter(contact_id=contact.pk).select_related("merged_by__user")
    context = {
        "contact": contact,
        "form": form,
        "lines": lines,
        "kinds": attributes.KINDS,
        "identities": contact.identities.order_by("created_at", "pk"),
        "talks": talks.prefetch_related("number").order_by("-last_message_at", "-pk")[:20],
        "numbers": our_numbers(),
        "usual_labels": contacts.usual_labels(contact.tenant_id),
        "history": history.of(contact),
        "merges": [each for each in merges.defer("rows").order_by("-merged_at")[:5] if each.can_be_undone(now)],
        "duplicates": duplicates.of(contact),
        "now": now,
        "me": request.membership,
    }
    return render(request, "crm/contacts/person.html", context | extra, status=status)
