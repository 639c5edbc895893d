"""When a template was last sent with: written by whoever sends, a page at a time."""

from collections.abc import Iterable
from typing import Any

# At most once a minute each, and never waiting for another sender who is writing the same: it is a moment in words.
_USED = """
UPDATE whatsapp_template t SET last_used_at = %(at)s
FROM (
    SELECT known.id FROM whatsapp_template known
    JOIN unnest(%(names)s::text[], %(languages)s::text[]) AS used (name, language)
      ON known.name = used.name AND known.language = used.language
    WHERE known.tenant_id = %(tenant)s AND known.waba_id = %(waba)s
      AND (known.last_used_at IS NULL OR known.last_used_at < %(at)s - interval '1 minute')
    ORDER BY known.id FOR NO KEY UPDATE OF known SKIP LOCKED
) AS due
WHERE t.id = due.id
"""


def mark_used(cursor: Any, *, tenant_id: Any, waba_id: str, templates: Iterable[tuple[str, str]], at: Any) -> None:
    """Remember that these (name, language) of the account were sent with at this moment."""
    used = sorted(set(templates))
    if used:
        names, languages = [name for name, _ in used], [language for _, language in used]
        cursor.execute(_USED, {"tenant": tenant_id, "waba": waba_id, "names": names, "languages": languages, "at": at})
