"""Small pieces of HTML that the page and the phone share. Everything a person wrote passes through `text`."""

import html
from datetime import UTC, datetime, timedelta, timezone

LIMA = timezone(timedelta(hours=-5))
_DAYS = ("lun", "mar", "mié", "jue", "vie", "sáb", "dom")
_MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sep", "oct", "nov", "dic")


def text(value: object) -> str:
    return html.escape(str(value), quote=True)


def icon(name: str) -> str:
    return f'<svg class="icon" aria-hidden="true"><use href="/static/crm/icons/icons.svg#i-{name}"/></svg>'


def hidden(**values: str) -> str:
    return "".join(f'<input type="hidden" name="{name}" value="{text(value)}">' for name, value in values.items())


def hour(at: float, *, seconds: bool = False) -> str:
    return local(at).strftime("%H:%M:%S" if seconds else "%H:%M")


def weekday(at: float) -> str:
    return _DAYS[local(at).weekday()]


def day(at: float, *, now: float) -> str:
    """Hoy, Ayer, or the date."""
    days = (local(now).date() - local(at).date()).days
    if days in (0, 1):
        return ("Hoy", "Ayer")[days]
    then = local(at)
    return f"{_DAYS[then.weekday()]} {then.day} {_MONTHS[then.month - 1]}"


def local(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC).astimezone(LIMA)


def duration(seconds: float) -> str:
    hours, minutes = divmod(int(seconds // 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"


def initials(name: str) -> str:
    words = [word for word in name.split() if word[0].isalpha()] or ["?"]
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()
