"""The simulator's page: the phone, who writes and what goes wrong, and the live events. Plain forms; a script makes it live."""

from . import bubbles, log, template_panel
from .faults import digits
from .kinds import OFFERED
from .markup import hidden, hour, icon, initials, text, weekday
from .numbers import Number
from .personas import PEOPLE, PERSONAS
from .scenarios import SCENARIOS
from .threads import Thread
from .world import World

SHEETS = (
    "tokens", "base", "layout", "components/button", "components/badge", "components/window-bar", "components/nav",
    "components/phone-preview", "components/worklist", "components/timeline", "components/form", "components/card",
)  # fmt: skip

_ATTACHMENTS = (
    ("image", "image", "Foto"),
    ("voice", "mic", "Nota de voz"),
    ("document", "file", "Documento"),
    ("location", "pin", "Ubicación"),
    ("order", "cart", "Pedido del catálogo"),
    ("reaction", "smile", "Reaccionar al último mensaje"),
    ("unsupported", "poll", "Tipo no compatible"),
)

# (setting, icon, title, explanation, choices as (value, label))
_FAULTS: tuple[tuple[str, str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("duplicate", "copy", "Duplicar", "Meta manda el mismo evento otra vez", (("2", "2 veces"), ("5", "5 veces"))),
    ("reorder", "shuffle", "Desordenar", "«Leído» llega antes que «entregado»", ()),
    ("webhook_delay_s", "hourglass", "Demorar", "El webhook llega tarde", (("10", "10 s"), ("90", "90 s"), ("900", "15 min"))),
    ("webhook_hold", "pause", "Retener", "Ningún webhook sale hasta soltarlo", ()),
    ("block", "ban", "Bloquear", "Todo queda aceptado, nada se entrega", ()),
    ("answer_lost", "wifi-off", "Sin respuesta de Meta", "El envío queda en «no sabemos si llegó»", ()),
    ("error_code", "alert", "Rechazar el envío", "Meta contesta con un error",
     (("131056", "131056 ritmo"), ("130429", "130429 caudal"), ("131049", "131049 tope"), ("190", "190 token"),
      ("131000", "131000 caída"))),
)  # fmt: skip


def page(world: World, *, number: Number, customer: str) -> str:
    now = world.clock.now()
    thread = world.threads.get(number_id=number.id, customer=customer)
    sheets = "".join(f'<link rel="stylesheet" href="/static/crm/css/{name}.css">' for name in SHEETS)
    app_url = text(world.settings.app_url)
    return f"""<!doctype html>
<html lang="es">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" href="/static/crm/icons/favicon.svg" type="image/svg+xml">
  <title>Simulador · Ventana</title>
  {sheets}
  <link rel="stylesheet" href="/static/whatsapp/simulator/simulator.css">
  <script src="/static/whatsapp/simulator/simulator.js" defer></script>
</head>
<body data-number="{text(number.id)}" data-customer="{text(customer)}">
  <a class="skip" href="#contenido">Saltar al contenido</a>
  <div class="app">
    <nav class="rail" aria-label="Principal">
      <a class="rail__logo" href="{app_url}" aria-label="Ventana, inicio">{icon("logo")}</a>
      <a class="rail__item" href="{app_url}" aria-label="Bandeja" data-short="Bandeja" data-tip="end">{icon("chat")}</a>
      <a class="rail__item" href="/" aria-label="Simulador" data-short="Simulador" data-tip="end" aria-current="page">{icon("lab")}</a>
      <div class="rail__end">
        <button class="rail__item" type="button" data-tip="end" data-short="Tema" aria-label="Cambiar tema claro u oscuro"
          data-theme-toggle>{icon("moon")}</button>
      </div>
    </nav>
    <div class="frame" id="contenido">
      <div class="page">
        <header class="page__head">
          <h1>Simulador</h1>
          <span class="badge badge--accent">{icon("lab")}Sin costo, no sale a WhatsApp</span>
          {clock(world, number=number, customer=customer)}
        </header>
        <main class="sim page__fill">
          <section class="sim__stage" aria-label="Teléfono del cliente">{bubbles.phone(number, thread, customer=customer, now=now)}</section>
          <section class="sim__panel" aria-label="Controles"><div class="stack gap-4">
            {people(world, number=number, customer=customer)}
            {_composer(world, number=number, customer=customer, thread=thread)}
            {faults(world, number=number, customer=customer)}
            {_scenarios(number=number, customer=customer)}
            {template_panel.templates(world, number=number, customer=customer)}
          </div></section>
          <section class="sim__log" aria-label="Eventos">
            <div class="card__head card__head--line aside-head"><h2>Eventos</h2><span class="muted">en vivo</span>
              <a class="link small push" href="{app_url}">Ver como agente</a></div>
            {log.window(thread, name=_first_name(thread, customer), now=now)}
            {log.log(world.journal, names=_names(world))}
          </section>
        </main>
      </div>
    </div>
  </div>
</body>
</html>"""


def live(world: World, *, number: Number, customer: str) -> str:
    """The parts of the page that change, each with its id."""
    now, thread = world.clock.now(), world.threads.get(number_id=number.id, customer=customer)
    return "".join(
        (
            clock(world, number=number, customer=customer),
            bubbles.phone(number, thread, customer=customer, now=now),
            people(world, number=number, customer=customer),
            faults(world, number=number, customer=customer),
            template_panel.templates(world, number=number, customer=customer),
            log.window(thread, name=_first_name(thread, customer), now=now),
            log.log(world.journal, names=_names(world)),
        )
    )


def clock(world: World, *, number: Number, customer: str) -> str:
    back, now = hidden(number=number.id, customer=customer), world.clock.now()
    running = world.traffic["running"]
    moved = world.clock.offset_s > 1
    jumps = "".join(
        f'<button class="btn" type="submit" name="advance_s" value="{seconds}">{label}</button>'
        for seconds, label in ((3600, "+1 h"), (23 * 3600, "+23 h"), (86400, "+24 h"))
    )
    if world.settings.clock_url:
        jumps += '<button class="btn" type="submit" name="to" value="next">Próximo paso</button>'
    return f"""<div class="push bar sim-clock" id="clock">
  <form method="post" action="/phone/traffic" data-live>{back}{hidden(running="" if running else "1")}
    <button class="btn" type="submit" aria-pressed="{"true" if running else "false"}">{
        icon("pause" if running else "play")
    }{"Pausar clientes" if running else "Que escriban"}</button></form>
  <span class="small muted nowrap">Reloj simulado</span>
  <form method="post" action="/phone/clock" data-live>{back}<span class="btn-group">
    <button class="btn" type="submit" name="reset" value="1" {"" if moved else "disabled"}
      aria-label="Volver a la hora real">{icon("clock")}{weekday(now)} {hour(now)}</button>{jumps}</span></form>
  <form method="post" action="/phone/reset" data-live>{back}<button class="btn" type="submit">{
        icon("refresh")
    }Reiniciar</button></form>
</div>"""


def people(world: World, *, number: Number, customer: str) -> str:
    known = world.threads.get(number_id=number.id, customer=customer)
    chosen = known.address if known else customer
    options = [
        _person(
            one.address,
            one.number_id,
            one.name.split()[0],
            one.initials,
            f"{one.country} · {one.habit}",
            one.tone,
            one.address == chosen,
        )
        for one in PEOPLE
    ]
    others = [
        one for one in reversed(list(world.threads)) if one.address not in PERSONAS and one.number_id == number.id
    ]
    if chosen not in PERSONAS and not any(one.address == chosen for one in others):
        options.append(_person(chosen, number.id, chosen, "?", "número escrito a mano", 4, True))
    for one in others[:6]:
        shown = one.name or one.address
        options.append(
            _person(
                one.address,
                one.number_id,
                shown,
                initials(shown),
                one.wa_id or f"@{one.username}",
                4,
                one.address == chosen,
            )
        )
    lines = "".join(
        f'<option value="{text(one.id)}"{" selected" if one.id == number.id else ""}>{text(one.name)} · {text(one.display)}</option>'
        for one in [one for one in world.numbers if one.known or one.id == number.id]
    )
    return f"""<section class="stack gap-2" id="people">
  <div class="bar"><h2>Quién escribe</h2>
    <form class="push sim-line" method="get" action="/" data-go>{hidden(customer=customer)}
      <label class="select select--sm"><span class="sr-only">A qué número escribe</span>
        <select name="number">{lines}</select>{icon("chevron-down")}</label>
      <noscript><button class="btn btn--sm">Ver</button></noscript></form></div>
  <div class="picklist sim-people">{"".join(options)}</div>
  <details class="sim-other" id="other"><summary class="btn btn--ghost btn--sm">{icon("plus")}Otra persona</summary>
    <form class="bar" method="get" action="/">{hidden(number=number.id)}
      <input class="input input--sm" name="customer" required inputmode="tel" placeholder="+51 987 654 321" aria-label="Teléfono">
      <input class="input input--sm" name="name" placeholder="Nombre" aria-label="Nombre">
      <button class="btn btn--sm" type="submit">Usar</button></form></details>
</section>"""


def faults(world: World, *, number: Number, customer: str) -> str:
    recipient = digits(customer)
    settings = world.faults.resolve(number_id=number.id, known=number.known, recipient=recipient)
    rows = "".join(_fault(one, settings, hidden(number=number.id, customer=customer)) for one in _FAULTS)
    return f"""<section id="faults">
  <div class="bar"><h2>Provocar fallas</h2><span class="small muted">valen hasta que las apagues</span></div>
  <div>{rows}</div>
</section>"""


def _fault(fault: tuple, settings: dict, back: str) -> str:
    name, symbol, title, explanation, choices = fault
    value = settings[name]
    on = bool(value) and not (name == "duplicate" and value == 1)
    select = ""
    if choices:
        options = "".join(
            f'<option value="{choice}"{" selected" if on and str(value).removesuffix(".0") == choice else ""}>{label}</option>'
            for choice, label in choices
        )
        select = f'<span class="select select--sm"><select name="value" aria-label="{title}: cuánto">{options}</select>{icon("chevron-down")}</span>'
    return f"""<form class="fault" method="post" action="/phone/faults" data-live data-auto>{back}{hidden(name=name)}{
        icon(symbol)
    }
  <div><b>{title}</b><small>{explanation}</small></div>
  <span class="bar">{select}<label class="switch switch--fault"><input type="checkbox" name="on" value="1" aria-label="{
        title
    }"{
        " checked" if on else ""
    }></label><noscript><button class="btn btn--sm">Aplicar</button></noscript></span></form>"""


def _person(address: str, number_id: str, name: str, letters: str, habit: str, tone: int, chosen: bool) -> str:
    current = ' aria-current="true"' if chosen else ""
    return (
        f'<a href="/?number={text(number_id)}&amp;customer={text(address)}"{current}>'
        f'<span class="avatar avatar--sm" data-tone="{tone}">{text(letters)}</span>'
        f"<span><b>{text(name)}</b><small>{text(habit)}</small></span></a>"
    )


def _composer(world: World, *, number: Number, customer: str, thread: Thread | None) -> str:
    back = hidden(number=number.id, customer=customer)
    buttons = "".join(
        f'<button class="btn btn--ghost btn--icon" type="submit" name="type" value="{kind}" formnovalidate data-tip '
        f'aria-label="{label}">{icon(symbol)}</button>'
        for kind, symbol, label in _ATTACHMENTS
    )
    more = "".join(
        f'<optgroup label="{group}">{"".join(f"""<option value="{key}">{words}</option>""" for key, words, _ in offered)}</optgroup>'
        for group, offered in OFFERED.items()
    )
    return f"""<form class="stack gap-2" method="post" action="/phone/messages" data-live>{back}
  <input type="hidden" name="reply_to" value="" data-reply-to>
  <h2>Enviar como {text(_first_name(thread, customer))}</h2>
  <textarea class="textarea" rows="2" name="text" maxlength="4096" aria-label="Mensaje del cliente" placeholder="¿Y si no me queda la talla?"></textarea>
  <div class="bar gap-1 sim-attach">{buttons}<button class="btn btn--primary push" type="submit" name="type" value="text">{icon("send")}Enviar</button></div>
  <div class="bar gap-1"><label class="select select--sm"><span class="sr-only">Otra cosa que enviar</span>
    <select name="more">{more}</select>{icon("chevron-down")}</label>
    <button class="btn btn--sm" type="submit" name="type" value="more" formnovalidate>Enviar esto</button></div>
</form>"""


def _scenarios(*, number: Number, customer: str) -> str:
    rows = "".join(
        f"<li><span><b>{text(one.title)}</b><small>{len(one.steps)} eventos · {text(one.expectation)}</small></span>"
        f'<form method="post" action="/phone/scenarios" data-live>{hidden(number=number.id, customer=customer, key=one.key)}'
        f'<button class="btn btn--sm" type="submit">{icon("play")}Correr</button></form></li>'
        for one in SCENARIOS
    )
    return f"""<section class="stack gap-2">
  <div class="bar"><h2>Escenarios</h2><span class="small muted">guion completo en 20 segundos</span></div>
  <ul class="mini-list mini-list--act" role="list">{rows}</ul>
</section>"""


def _first_name(thread: Thread | None, customer: str) -> str:
    persona = PERSONAS.get(thread.address if thread else customer)
    if persona:
        return persona.first_name
    return (thread.name.split()[0] if thread and thread.name.strip() else "") or f"+{customer}"


def _names(world: World) -> dict[str, str]:
    return {one.address: one.name for one in (*PEOPLE, *world.threads) if one.name}
