"""Files that customers send: what a person can do when one did not come."""

from django.db.models.functions import Now

from crm import bells
from crm.models import Attachment, FileState


def retry(attachment: Attachment) -> bool:
    """Try again to get a file that did not come; False when there is nothing to try."""
    changed = Attachment.objects.filter(pk=attachment.pk, state=FileState.FAILED).update(
        state=FileState.WAITING, attempts=0, failure="", next_attempt_at=Now()
    )
    if changed:
        bells.ring_media()
    return bool(changed)
