"""The files of messages: shown to whoever may see the conversation, fetched again when they did not come, and sent."""

from uuid import UUID, uuid5

from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from crm import media, outbound
from crm.forms import FilesForm, MessageForm
from crm.media import RefusedFile, serving
from crm.models import Attachment, Conversation, Message, Source
from crm.views import composer, log
from crm.views.access import conversation_or_404, member_required, wants_fragment
from crm.views.page import list_context, thread_context
from crm.views.telling import changed, told
from tenants import clock
from tenants.requests import MemberRequest
from whatsapp.capabilities import CAPABILITIES


@member_required
@require_safe
def show(request: MemberRequest, attachment_id: UUID) -> HttpResponse | StreamingHttpResponse:
    """The file itself; `?download` never opens it in the browser."""
    attachment = _attachment_or_404(request, attachment_id)
    if not attachment.stored_as:
        raise Http404
    return serving.respond(
        request,
        stored_as=attachment.stored_as,
        size=attachment.size or 0,
        mime_type=attachment.mime_type,
        filename=attachment.filename or f"{attachment.message.type}-{attachment.message.sent_at:%Y%m%d-%H%M}",
        download="download" in request.GET,
    )


@member_required
@require_safe
def thumbnail(request: MemberRequest, attachment_id: UUID) -> HttpResponse | StreamingHttpResponse:
    """The small picture of a photo or video."""
    attachment = _attachment_or_404(request, attachment_id)
    if not attachment.thumbnail:
        raise Http404
    size = media.storing.storage().size(attachment.thumbnail)
    kind = "image/png" if _begins(attachment.thumbnail, b"\x89PNG") else "image/jpeg"
    return serving.respond(request, stored_as=attachment.thumbnail, size=size, mime_type=kind, filename="thumbnail")


@member_required
@require_POST
def retry(request: MemberRequest, attachment_id: UUID) -> HttpResponse:
    """Try again to get a file that did not come."""
    attachment = _attachment_or_404(request, attachment_id)
    media.retry(attachment)
    return told(request, attachment.message.conversation)


@member_required
@require_POST
def create(request: MemberRequest, conversation_id: UUID) -> HttpResponse:
    """Send one or several files, the text as the caption of the first. All are sent, or none and the reason is said."""
    conversation = conversation_or_404(request, conversation_id)
    form = FilesForm(request.POST, request.FILES, conversation=conversation)
    if not form.is_valid():
        return _refused(request, conversation, [str(error) for errors in form.errors.values() for error in errors])
    now, capabilities = clock.now(), CAPABILITIES[conversation.number.provider]
    sent: list[Message] = []
    stored: list[str] = []
    try:
        for place, file in enumerate(form.cleaned_data["uploads"]):
            content, kept = media.receive(
                file,
                tenant_id=conversation.tenant_id,
                capabilities=capabilities,
                caption="" if place else form.cleaned_data["text"],
                is_voice=form.cleaned_data["voice"],
                shrink=form.cleaned_data["shrink"],
            )
            stored.append(kept.stored_as)
            sent.append(
                outbound.compose(
                    conversation=conversation,
                    content=content,
                    source=Source.AGENT,
                    client_id=uuid5(form.cleaned_data["client_id"], str(place)),
                    now=now,
                    author=request.membership,
                    quoted_message_id="" if place else form.quoted_id,
                    file=kept,
                )
            )
    except (RefusedFile, outbound.CannotSend) as refusal:
        for name in stored:
            media.storing.delete(name)
        reason = refusal.explanation if isinstance(refusal, outbound.CannotSend) else refusal
        return _refused(request, conversation, [str(reason)])
    if not wants_fragment(request):
        return redirect("conversation", conversation.pk)
    messages = Message.objects.filter(pk__in=[message.pk for message in sent]).select_related("author__user")
    bubbles = log.bubbles(conversation, sorted(messages, key=lambda message: message.pk))
    context = {"items": bubbles, "conversation": conversation, "me": request.membership}
    return changed(render(request, "crm/inbox/_messages.html", context, status=201), conversation.pk)


def _refused(request: MemberRequest, conversation: Conversation, reasons: list[str]) -> HttpResponse:
    """Nothing was sent, and the person keeps what they typed."""
    request.failed = True  # type: ignore[attr-defined]
    if wants_fragment(request):
        return JsonResponse({"errors": reasons}, status=422)
    now = clock.now()
    form = MessageForm(request.POST, conversation=conversation)
    form.errors.pop("text", None)  # a file needs no words
    form.add_error(None, reasons)
    shown = composer.for_text(conversation, form)
    context = list_context(request, now=now) | thread_context(request, conversation, now=now) | {"composer": shown}
    return render(request, "crm/inbox/inbox.html", context, status=422)


def _attachment_or_404(request: MemberRequest, attachment_id: UUID) -> Attachment:
    visible = Conversation.objects.visible_to(request.membership).values("pk")
    found = Attachment.objects.filter(message__conversation__in=visible).select_related("message__conversation")
    return get_object_or_404(found, pk=attachment_id)


def _begins(name: str, mark: bytes) -> bool:
    with media.storing.storage().open(name) as file:
        return file.read(len(mark)) == mark
