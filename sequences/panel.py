"""What the side panel of a conversation shows of sequences; named in the settings, so that crm need not know it."""

from typing import Any

from crm.models import Conversation
from sequences.models import Enrollment, Sequence
from sequences.models.enrollments import RUNNING
from sequences.words import why_words
from tenants.models import Membership


def section(conversation: Conversation) -> dict[str, Any]:
    """Template and context: what runs here, and what may begin."""
    running = list(
        Enrollment.objects.filter(conversation=conversation).select_related("sequence").order_by("-created_at")[:5]
    )
    for each in running:
        each.why = why_words(each.reason)  # type: ignore[attr-defined]
    busy = {each.sequence_id for each in running if each.state in RUNNING}
    offered = [
        each
        for each in Sequence.objects.filter(is_active=True).prefetch_related("numbers").order_by("name")[:100]
        if each.pk not in busy and each.is_for(conversation)
    ]
    return {
        "template": "sequences/_panel.html",
        "enrollments": running,
        "offered": offered,
        "conversation": conversation,
    }


def action(membership: Membership) -> dict[str, Any]:
    """What may be done with contacts chosen on their page: begin a sequence. Template and context."""
    offered = Sequence.objects.filter(is_active=True).order_by("name")[:100] if membership.sees_everything else []
    return {"template": "sequences/_contacts_action.html", "sequences": offered}
