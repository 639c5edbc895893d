"""Writing to the customer: a text, a template, a second try. Every answer is the bubble, or the form with the reason."""

from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm import media, outbound
from crm.forms import CardForm, LocationForm, MessageForm, ProductForm, TemplateMessageForm
from crm.media import NewFile, RefusedFile
from crm.models import Conversation, Message, Source
from crm.views import composer, files, log
from crm.views.access import conversation_or_404, member_required, wants_fragment
from crm.views.composer import Composer
from crm.views.page import list_context, thread_context
from crm.views.telling import changed, told
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp.capabilities import CAPABILITIES


@member_required
@require_POST
def create(request: MemberRequest, conversation_id: UUID) -> HttpResponseBase:
    """Send a text, or files with it: without JavaScript both come here."""
    if request.FILES:
        return files.create(request, conversation_id)
    conversation = conversation_or_404(request, conversation_id)
    form = MessageForm(request.POST, conversation=conversation)
    return _sent(request, conversation, form, composer.for_text(conversation, form))


@member_required
@require_POST
def create_from_template(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Send a template, which also opens a closed conversation by our side."""
    conversation = conversation_or_404(request, conversation_id)
    chosen, now = request.POST.get("template", ""), clock.now()
    template = composer.for_template(conversation, chosen=chosen, now=now).chosen
    form = TemplateMessageForm(request.POST, request.FILES, conversation=conversation, chosen=template)
    shown = composer.for_template(conversation, form, chosen=chosen, now=now)
    if not shown.refusal and form.is_valid() and form.upload:
        return _sent_with_file(request, conversation, form, shown)
    return _sent(request, conversation, form, shown)


def _sent_with_file(
    request: MemberRequest, conversation: Conversation, form: TemplateMessageForm, shown: Composer
) -> HttpResponse:
    """A template whose header shows a file: kept first, forgotten again when the message may not go."""
    try:
        content, kept = media.receive(
            form.upload, tenant_id=conversation.tenant_id, capabilities=CAPABILITIES[conversation.number.provider]
        )
    except RefusedFile as refusal:
        form.add_error("head_file", str(refusal))
        return _refused(request, conversation, shown)
    wanted = next(slot.kind for slot in form.slots if slot.key == "head_file")
    if content.type == wanted:
        response = _sent(request, conversation, form, shown, file=kept)
    else:
        form.add_error("head_file", _("This template shows another kind of file. Choose one of that kind."))
        response = _refused(request, conversation, shown)
    if response.status_code == 422:
        media.storing.delete(kept.stored_as)
    return response


@member_required
@require_POST
def create_location(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Send a point on the map."""
    conversation = conversation_or_404(request, conversation_id)
    form = LocationForm(request.POST)
    return _sent(request, conversation, form, composer.for_location(conversation, form))


@member_required
@require_POST
def create_product(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Send a product of the number's catalogue."""
    conversation = conversation_or_404(request, conversation_id)
    form = ProductForm(request.POST)
    return _sent(request, conversation, form, composer.for_product(conversation, form))


@member_required
@require_POST
def create_card(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Send somebody's name and phone."""
    conversation = conversation_or_404(request, conversation_id)
    form = CardForm(request.POST, country=request.membership.tenant.default_country)
    return _sent(request, conversation, form, composer.for_card(conversation, form))


@member_required
@require_GET
def show(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """The composer alone, as the address asks for it (`?template=`, `?write=template`, `?quote=`)."""
    conversation, now = conversation_or_404(request, conversation_id), clock.now()
    asked = composer.asked_for(conversation, request.GET, now=now)
    return render(request, "crm/inbox/_composer.html", {"composer": asked, "conversation": conversation, "now": now})


@member_required
@require_POST
def retry(request: MemberRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Try a failed message again."""
    message = _message_or_404(request, conversation_id, message_id)
    try:
        outbound.retry(message=message, actor=request.membership, now=clock.now())
    except outbound.CannotSend as refusal:
        return told(request, message.conversation, refusal.explanation, kind="fail")
    return told(request, message.conversation)


@member_required
@require_POST
def decide(request: MemberRequest, conversation_id: UUID, message_id: UUID) -> HttpResponse:
    """Settle a message of which nobody knows whether it arrived: send it again, or leave it as it is."""
    message = _message_or_404(request, conversation_id, message_id)
    resend = request.POST.get("decision") == "resend"
    try:
        outbound.decide_unknown(message=message, resend=resend, actor=request.membership, now=clock.now())
    except outbound.CannotSend as refusal:
        return told(request, message.conversation, refusal.explanation, kind="fail")
    return told(request, message.conversation)


def _sent(
    request: MemberRequest,
    conversation: Conversation,
    form: composer.Form,
    shown: Composer,
    *,
    file: NewFile | None = None,
) -> HttpResponse:
    if shown.refusal or not form.is_valid():
        return _refused(request, conversation, shown)
    try:
        message = outbound.compose(
            conversation=conversation,
            author=request.membership,
            source=Source.AGENT,
            now=clock.now(),
            file=file,
            **(form.content(filename=file.filename) if file else form.content()),  # type: ignore[call-arg]
        )
    except outbound.CannotSend as refusal:
        form.add_error(None, refusal.explanation)
        return _refused(request, conversation, shown)
    if not wants_fragment(request):
        return redirect("conversation", conversation.pk)
    message = Message.objects.select_related("author__user").get(pk=message.pk)
    context = {"item": log.bubble(message), "conversation": conversation, "me": request.membership}
    response = render(request, "crm/inbox/_message.html", context, status=201)
    return changed(response, conversation.pk)


def _refused(request: MemberRequest, conversation: Conversation, shown: Composer) -> HttpResponse:
    now = clock.now()
    context = {"conversation": conversation, "now": now}
    if not wants_fragment(request):
        context = list_context(request, now=now) | thread_context(request, conversation, now=now)
        return render(request, "crm/inbox/inbox.html", context | {"composer": shown}, status=422)
    return render(request, "crm/inbox/_composer.html", context | {"composer": shown}, status=422)


def _message_or_404(request: MemberRequest, conversation_id: UUID, message_id: UUID) -> Message:
    conversation = conversation_or_404(request, conversation_id)
    messages = Message.objects.filter(conversation=conversation).select_related("conversation__number")
    return get_object_or_404(messages, pk=message_id)
