"""The account's templates on the simulator's page: how each is, and what Meta can be made to say of it."""

from .markup import hidden, icon, text
from .numbers import Number
from .templates import Template, body_of
from .world import World

_STATUSES = {
    "APPROVED": ("ok", "Aprobada"),
    "PENDING": ("warn", "En revisión"),
    "REJECTED": ("fail", "Rechazada"),
    "PAUSED": ("warn", "Pausada"),
    "DISABLED": ("fail", "Desactivada"),
}
_CATEGORIES = {"MARKETING": "Marketing", "UTILITY": "Utilidad", "AUTHENTICATION": "Autenticación"}
_QUALITIES = {"GREEN": ("ok", "Alta"), "YELLOW": ("warn", "Media"), "RED": ("fail", "Baja")}
# (what Meta says, icon, label, the states in which it says so)
_EVENTS = (
    ("APPROVED", "check", "Aprobar", {"PENDING", "REJECTED", "PAUSED", "DISABLED", "IN_APPEAL"}),
    ("PAUSED", "pause", "Pausar", {"APPROVED"}),
    ("DISABLED", "ban", "Desactivar", {"APPROVED", "PAUSED"}),
)
_REASONS = (
    ("INVALID_FORMAT", "Formato inválido"),
    ("INCORRECT_CATEGORY", "Categoría incorrecta"),
    ("ABUSIVE_CONTENT", "Contenido abusivo"),
    ("PROMOTIONAL", "Es publicidad"),
    ("TAG_CONTENT_MISMATCH", "El idioma no coincide"),
    ("SCAM", "Parece estafa"),
)
_REJECTABLE = {"PENDING", "APPROVED", "IN_APPEAL"}


def templates(world: World, *, number: Number, customer: str) -> str:
    """All templates of the number's account, those in review first, then the newest."""
    known = list(reversed(world.templates.of(number.account_id)))
    known.sort(key=lambda one: one["status"] != "PENDING")
    rows = "".join(_row(one, number, customer) for one in known)
    return f"""<section class="stack gap-2" id="templates">
  <div class="bar"><h2>Plantillas</h2><span class="small muted">{len(known)} en la cuenta · tú decides por Meta</span></div>
  <div class="sim-templates">{rows}</div>
</section>"""


def _row(template: Template, number: Number, customer: str) -> str:
    look, word = _STATUSES.get(template["status"], ("line", template["status"]))
    score = (template.get("quality_score") or {}).get("score", "")
    quality = ""
    if score in _QUALITIES:
        quality = f'<span class="flag is-{_QUALITIES[score][0]}">{icon("signal")}{_QUALITIES[score][1]}</span>'
    reason = template.get("rejected_reason", "")
    why = f" · {dict(_REASONS).get(reason, reason)}" if template["status"] == "REJECTED" and reason != "NONE" else ""
    return f"""<details id="template-{text(template["id"])}" class="sim-template">
  <summary><span><b>{text(template["name"])}</b><small>{text(template["language"])} · {
        text(_CATEGORIES.get(template["category"], template["category"]))
    }{text(why)}</small></span>{quality}<span class="badge badge--{look}">{text(word)}</span>{
        icon("chevron-down")
    }</summary>
  <div class="stack gap-2"><p class="small">{text(body_of(template))}</p>{
        _forms(template, score, number, customer)
    }</div>
</details>"""


def _forms(template: Template, score: str, number: Number, customer: str) -> str:
    back = hidden(number=number.id, customer=customer, name=template["name"], language=template["language"])
    events = "".join(
        f'<button class="btn btn--sm" type="submit" name="event" value="{event}"'
        f"{'' if template['status'] in states else ' disabled'}>{icon(symbol)}{label}</button>"
        for event, symbol, label, states in _EVENTS
    )
    scores = "".join(
        f'<button class="btn btn--sm" type="submit" name="quality" value="{name}" aria-pressed="{str(name == score).lower()}"'
        f">{label}</button>"
        for name, (_look, label) in _QUALITIES.items()
    )
    reasons = "".join(f'<option value="{reason}">{label}</option>' for reason, label in _REASONS)
    closed = "" if template["status"] in _REJECTABLE else " disabled"
    return f"""<form class="cluster" method="post" action="/phone/templates" data-live>{back}{events}</form>
<form class="cluster" method="post" action="/phone/templates" data-live>{back}<span class="select select--sm"><select name="reason"
  aria-label="Por qué se rechaza"{closed}>{reasons}</select>{icon("chevron-down")}</span><button class="btn btn--sm" type="submit"
  name="event" value="REJECTED"{closed}>{icon("x-circle")}Rechazar</button></form>
<form class="cluster" method="post" action="/phone/templates" data-live>{back}<span class="small muted">Calidad</span>
  <span class="btn-group">{scores}</span></form>"""
