"""The customer's phone as HTML: the chat with its bubbles, ticks, quotes, media, buttons and reactions."""

import time

from .markup import day, hidden, hour, icon, initials, text
from .numbers import Number
from .threads import Bubble, Thread

_TICKS = {"sent": ("tick", "Enviado"), "delivered": ("ticks", "Entregado"), "read": ("ticks", "Leído")}
_BUTTON_ICONS = {"url": "external", "phone_number": "phone"}
# What a press on it sends, by the kind of request: drawing, words, and the type of the answer.
_REQUESTS = {
    "location_request_message": ("pin", "Enviar ubicación", "location"),
    "request_contact_info": ("phone", "Compartir mi número", "contacts"),
}


def phone(number: Number, thread: Thread | None, *, customer: str, now: float) -> str:
    typing = bool(thread and thread.typing_until > time.monotonic())
    return f"""
<div class="phone phone--full" id="phone">
  <div class="phone__status" aria-hidden="true">{hour(now)}<span>{icon("signal")}{icon("battery")}</span></div>
  <div class="phone__bar">{icon("chevron-left")}<span class="avatar">{text(initials(number.name))}</span>
    <div><b>{text(number.name)}</b><small>{"escribiendo…" if typing else text(number.display)}</small></div>
    {icon("phone")}{icon("dots")}</div>
  {chat(number, thread, customer=customer, now=now)}
  <p class="sim-quoting" id="quoting" hidden>{icon("reply")}<span></span>
    <button type="button" aria-label="No citar" data-unquote>{icon("x")}</button></p>
  <form class="phone__input" method="post" action="/phone/messages" data-live>
    {hidden(number=number.id, customer=customer, type="text")}<input type="hidden" name="reply_to" value="" data-reply-to>
    <input type="text" class="input" name="text" required autocomplete="off" maxlength="4096"
      aria-label="Escribir como cliente" placeholder="Mensaje">
    <button type="submit" aria-label="Enviar como cliente">{icon("send")}</button>
  </form>
</div>"""


def chat(number: Number, thread: Thread | None, *, customer: str, now: float) -> str:
    rows, last_day = [], ""
    for bubble in thread.bubbles[-80:] if thread else ():
        today = day(bubble.at, now=now)
        if today != last_day:
            rows.append(f'<span class="phone__day">{today}</span>')
            last_day = today
        rows.append(_bubble(bubble, thread, number, customer))
    if thread and thread.blocked:
        rows.append(f'<span class="phone__day sim-blocked">{icon("ban")}Bloqueaste a esta empresa</span>')
    if not rows:
        rows.append('<p class="sim-empty">Aún no hay mensajes. Escribe abajo para abrir la ventana de 24 horas.</p>')
    return f'<div class="phone__chat" id="chat" tabindex="0" aria-label="Conversación" aria-live="polite">{"".join(rows)}</div>'


def _bubble(bubble: Bubble, thread: Thread | None, number: Number, customer: str) -> str:
    side = " wa--out" if bubble.mine else ""
    kind = " wa--sticker" if bubble.type == "sticker" else ""
    if bubble.revoked:
        inside = '<p class="wa__gone">Se eliminó este mensaje</p>'
    else:
        inside = _quote(bubble, thread) + _content(bubble)
    tick = ""
    if bubble.mine:
        name, meaning = _TICKS.get(bubble.status, ("clock", "Enviando"))
        read = ' class="wa__read"' if bubble.status == "read" else ""
        tick = f'<span{read} title="{meaning}">{icon(name)}<span class="sr-only">{meaning}</span></span>'
    edited = "editado · " if bubble.edited else ""
    label = text(bubble.text or bubble.type)[:80]
    quoting = (
        f'<button class="wa__quote-it" type="button" data-quote="{text(bubble.id)}" data-text="{label}" '
        f'aria-label="Citar este mensaje">{icon("reply")}</button>'
    )
    reactions = "".join(f"<span>{text(emoji)}</span>" for emoji in bubble.reactions.values())
    if reactions:
        reactions = f'<div class="wa__reactions" aria-label="Reacciones">{reactions}</div>'
    return (
        f'<div class="wa{side}{kind}" id="b-{text(bubble.id[-24:])}">{inside}'
        f"<small>{edited}{hour(bubble.at)} {tick}</small>{quoting}{reactions}</div>{_buttons(bubble, number, customer)}"
    )


def _quote(bubble: Bubble, thread: Thread | None) -> str:
    if not bubble.quoted_id:
        return ""
    quoted = thread.find(bubble.quoted_id) if thread else None
    who = "Tú" if quoted and quoted.mine else "Empresa"
    shown = (quoted.text or quoted.type) if quoted else "Mensaje anterior"
    return f'<blockquote class="wa__quote"><b>{who}</b><span>{text(shown[:120])}</span></blockquote>'


def _content(bubble: Bubble) -> str:
    parts, body = bubble.parts, f"<p>{text(bubble.text)}</p>" if bubble.text else ""
    header = f'<p class="wa__head">{text(parts["header"])}</p>' if parts.get("header") else ""
    if media := parts.get("header_media"):
        header = _image(str(media.get("id") or ""), str(media.get("link") or ""))
    footer = f'<p class="wa__foot">{text(parts["footer"])}</p>' if parts.get("footer") else ""
    if bubble.type in {"image", "sticker"}:
        return _image(bubble.media_id, bubble.link) + (body if bubble.type == "image" else "")
    if bubble.type == "video":
        source = f"/phone/media/{text(bubble.media_id)}"
        return f'<video class="media wa__video" controls preload="none" src="{source}"></video>{body}'
    if bubble.type == "audio":
        return _voice(bubble)
    if bubble.type == "document":
        name = text(bubble.filename or "Documento")
        link = (
            f'<a href="/phone/media/{text(bubble.media_id)}" download="{name}">{name}</a>' if bubble.media_id else name
        )
        caption = body if bubble.text != bubble.filename else ""
        return f'<div class="wa__file">{icon("file")}<span>{link}</span></div>{caption}'
    if place := parts.get("place"):
        where = f"<b>{text(place.get('name') or 'Ubicación')}</b><small>{text(place.get('address') or '')}</small>"
        return (
            f'<div class="wa__map" role="img" aria-label="Mapa">{icon("pin")}</div><div class="wa__place">{where}</div>'
        )
    if "cards" in parts:
        return "".join(
            f'<div class="wa__file">{icon("user")}<span>{text(name)}</span></div>' for name in parts["cards"]
        )
    if "items" in parts:
        return _order(bubble)
    if bubble.type in {"unsupported", "system", "request_welcome"}:
        return f'<p class="wa__gone">Mensaje de tipo «{text(bubble.type)}»</p>'
    return header + (body or f'<p class="wa__gone">{text(bubble.type)}</p>') + footer


def _image(media_id: str, link: str) -> str:
    if not media_id:
        # The page may load nothing from other sites, so a picture by link is drawn as its address.
        return f'<span class="media sim-picture" role="img" aria-label="Imagen {text(link)}">{icon("image")}</span>'
    return f'<img class="media" src="/phone/media/{text(media_id)}" alt="Foto">'


def _voice(bubble: Bubble) -> str:
    heights = [4 + (ord(character) * 7 + at * 5) % 15 for at, character in enumerate(bubble.id[-36:-4])]
    bars = "".join(
        f'<rect x="{at * 4}" y="{(20 - height) / 2:g}" width="2.4" height="{height}" rx="1.2"/>'
        for at, height in enumerate(heights)
    )
    return (
        f'<div class="wa__voice"><button type="button" data-play="/phone/media/{text(bubble.media_id)}" '
        f'aria-label="Escuchar la nota de voz">{icon("play")}</button>'
        f'<svg viewBox="0 0 128 20" aria-hidden="true">{bars}</svg><span class="num">0:04</span></div>'
    )


def _order(bubble: Bubble) -> str:
    items = bubble.parts["items"]
    total = sum(float(item.get("item_price", 0)) * int(item.get("quantity", 1)) for item in items)
    pieces = sum(int(item.get("quantity", 1)) for item in items)
    currency = text(items[0].get("currency", "")) if items else ""
    return (
        f'<div class="wa__file">{icon("cart")}<span><b>Pedido · {pieces} artículos</b><br>{currency} {total:,.2f}</span></div>'
        + (f"<p>{text(bubble.text)}</p>" if bubble.text else "")
    )


def _buttons(bubble: Bubble, number: Number, customer: str) -> str:
    rows = []
    for button in bubble.parts.get("buttons", []):
        if button["type"] in {"reply", "quick_reply"}:
            kind = "button" if bubble.type == "template" else "button_reply"
            rows.append(
                _reply_button(
                    bubble, number, customer, kind=kind, given=button, label=icon("reply") + text(button["title"])
                )
            )
        elif button["type"] in _REQUESTS:
            rows.append(_request_button(bubble, number, customer, asked=button["type"]))
        else:
            rows.append(f"<li>{icon(_BUTTON_ICONS.get(button['type'], 'external'))}{text(button['title'])}</li>")
    if flow := bubble.parts.get("flow"):
        rows.append(_flow_button(bubble, flow, number, customer))
    if "rows" in bubble.parts:
        rows.append(f'<li class="wa__list-name">{icon("sort")}{text(bubble.parts["list"])}</li>')
        for row in bubble.parts["rows"]:
            label = f"<span>{text(row['title'])}<small>{text(row.get('description') or '')}</small></span>"
            rows.append(_reply_button(bubble, number, customer, kind="list_reply", given=row, label=label))
    return f'<ul class="wa__btns" role="list">{"".join(rows)}</ul>' if rows else ""


def _request_button(bubble: Bubble, number: Number, customer: str, *, asked: str) -> str:
    """Sends what the business asked for: where the customer is, or their phone number."""
    drawing, title, kind = _REQUESTS[asked]
    own = {"origin": "contact_request", "phone": f"+{customer}", "text": customer} if kind == "contacts" else {}
    values = hidden(number=number.id, customer=customer, type=kind, reply_to=bubble.id, **own)
    return (
        f'<li><form method="post" action="/phone/messages" data-live>{values}'
        f'<button type="submit">{icon(drawing)}{title}</button></form></li>'
    )


def _flow_button(bubble: Bubble, flow: dict, number: Number, customer: str) -> str:
    """Opens the form on a page of its own; after a token that is over WhatsApp takes the button away."""
    label = icon("note") + text(flow.get("flow_cta") or "Abrir")
    if flow.get("over"):
        return f'<li aria-disabled="true" class="muted">{label}</li>'
    values = hidden(number=number.id, customer=customer, message=bubble.id)
    return (
        f'<li><form method="post" action="/phone/form/open">{values}<button type="submit">{label}</button></form></li>'
    )


def _reply_button(bubble: Bubble, number: Number, customer: str, *, kind: str, given: dict, label: str) -> str:
    values = hidden(
        number=number.id, customer=customer, type=kind, text=given["title"], title=given["title"],
        reply_id=given["id"], payload=given["id"], reply_to=bubble.id,
    )  # fmt: skip
    return f'<li><form method="post" action="/phone/messages" data-live>{values}<button type="submit">{label}</button></form></li>'
