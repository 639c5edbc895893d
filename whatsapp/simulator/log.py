"""The list of live events and the window bar, as HTML."""

from .journal import Entry, Journal
from .markup import duration, hour, icon, text
from .threads import WINDOW_S, Thread

_KINDS: dict[str, tuple[str, str, str]] = {
    # kind: (badge, icon, word)
    "inbound": ("accent", "arrow-down", "Entrante"),
    "accepted": ("", "tick", "Aceptado"),
    "sent": ("", "tick", "Enviado"),
    "delivered": ("ok", "ticks", "Entregado"),
    "read": ("ok", "ticks-read", "Leído"),
    "failed": ("fail", "alert", "Falló"),
    "refused": ("fail", "x-circle", "Rechazado"),
    "lost": ("warn", "wifi-off", "Perdido"),
    "duplicate": ("line", "copy", "Duplicado"),
    "retry": ("warn", "hourglass", "Reintento"),
    "nowhere": ("warn", "webhook", "Sin destino"),
    "blocked": ("fail", "ban", "Bloqueo"),
    "echo": ("auto", "mobile", "Eco"),
    "handover": ("auto", "mobile", "Teléfono"),
    "notice": ("accent", "bell", "Aviso"),
    "template": ("accent", "template", "Plantilla"),
    "clock": ("auto", "clock", "Reloj"),
    "scenario": ("auto", "play", "Escenario"),
}
_TYPES = {
    "text": "texto", "image": "foto", "audio": "audio", "video": "video", "document": "documento", "sticker": "sticker",
    "location": "ubicación", "contacts": "contacto", "button": "botón", "interactive": "botón", "reaction": "reacción",
    "order": "pedido", "template": "plantilla", "edit": "edición", "revoke": "eliminación", "unsupported": "no compatible",
    "system": "sistema",
}  # fmt: skip


def log(journal: Journal, *, names: dict[str, str]) -> str:
    rows = "".join(_row(entry, names) for entry in reversed(journal.since(most=70)))
    empty = '<li class="sim-empty">Nada todavía. Escribe como un cliente y mira qué pasa.</li>'
    return f'<ol class="log" id="log">{rows or empty}</ol>'


def _row(entry: Entry, names: dict[str, str]) -> str:
    badge, symbol, word = _KINDS.get(entry.kind, ("line", "info", entry.kind))
    shown = f"«{entry.text}»" if entry.text and entry.kind in {"inbound", "accepted", "echo"} else entry.text
    if entry.kind in {"inbound", "accepted"}:
        shown = (
            f"{_TYPES.get(entry.detail, entry.detail)} · {shown}" if shown else _TYPES.get(entry.detail, entry.detail)
        )
    details = [] if entry.kind in {"inbound", "accepted"} else [entry.detail]
    details.insert(0, names.get(entry.customer, entry.customer))
    if entry.message_id:
        details.append(f"wamid…{entry.message_id[-7:-1]}")
    small = " · ".join(text(part) for part in details if part)
    return (
        f"<li><time>{hour(entry.at, seconds=True)}</time>"
        f'<span class="badge{f" badge--{badge}" if badge else ""}">{icon(symbol)}{word}</span>'
        f'<p title="{text(shown)}">{text(shown)}</p>{f"<small>{small}</small>" if small else ""}</li>'
    )


def window(thread: Thread | None, *, name: str, now: float) -> str:
    """Time left of the 24 hours, drawn as panes: an hour each, and under two hours five minutes each."""
    left = thread.window_left(now) if thread else 0.0
    if left <= 0:
        state, most, value, words = "closed", 1440, 0, f"Ventana de {name}: cerrada, solo plantilla"
    elif left < 2 * 3600:
        state, most, value, words = "soon", 120, int(left // 60), f"Ventana de {name}: {duration(left)}"
    else:
        state, most, value, words = "open", WINDOW_S // 60, int(left // 60), f"Ventana de {name}: {duration(left)}"
    return (
        f'<div class="sim__window" id="window"><div class="window-bar" data-state="{state}">'
        f'<progress class="panes panes--24" max="{most}" value="{value}" aria-label="{text(words)}"></progress>'
        f'<p class="window-bar__state">{icon("lock" if state == "closed" else "clock")}<b>{text(words)}</b></p></div></div>'
    )
