"""The open Flow as a page: the screen's components as plain inputs, in the phone's frame."""

from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from . import filling
from .control import BadRequest, body_of, explained
from .faults import digits
from .filling import SEVERAL, OpenForm
from .markup import hidden, icon, text
from .pages import SHEETS
from .phone import POLICY
from .threads import Thread
from .world import World

_INPUT_TYPES = {"email": "email", "number": "number", "phone": "tel", "password": "password", "passcode": "password"}
_HEADINGS = {"TextHeading": "h2", "TextSubheading": "h3", "TextBody": "p", "TextCaption": "small", "RichText": "p"}


async def show(request: Request) -> Response:
    """The form that is open on this phone; back to the chat when there is none."""
    world, query = request.app.state.world, request.query_params
    number, customer = query.get("number", ""), query.get("customer", "")
    form = _open_form(world, number, customer)
    if form is None:
        return _chat(number, customer)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return HTMLResponse(_page(form, customer=customer), headers=headers)


async def begin(request: Request) -> Response:
    world, given = request.app.state.world, await _form(request)
    number_id, customer = _one(given, "number"), _one(given, "customer")
    number, thread = world.numbers.get(number_id), world.threads.get(number_id=number_id, customer=customer)
    bubble = thread.find(_one(given, "message")) if thread else None
    if number is None or thread is None or bubble is None or "flow" not in bubble.parts:
        return _chat(number_id, customer)
    await filling.begin(world, number=number, thread=thread, bubble=bubble)
    return RedirectResponse(_address(number_id, customer), 303)


async def submit(request: Request) -> Response:
    world, given = request.app.state.world, await _form(request)
    number_id, customer = _one(given, "number"), _one(given, "customer")
    form = _open_form(world, number_id, customer)
    if form is None or "close" in given:
        world.forms.pop((number_id, form.thread.key if form else ""), None)
        return _chat(number_id, customer)
    await filling.submit(world, form, _values(form, given))
    return (
        _chat(number_id, customer) if form.answer is not None else RedirectResponse(_address(number_id, customer), 303)
    )


@explained
async def fill(request: Request) -> Response:
    """Without a page: open the newest Flow that `from` was sent, fill in `values`, and go through to the end."""
    world, spec = request.app.state.world, await body_of(request)
    number = world.numbers.get(str(spec.get("phone_number_id") or ""))
    thread = world.threads.get(number_id=number.id, customer=str(spec.get("from") or "")) if number else None
    bubble = _newest(thread, str(spec.get("message_id") or "")) if thread else None
    if number is None or thread is None or bubble is None:
        raise BadRequest("Nobody has sent this customer a Flow.")
    form = await filling.begin(world, number=number, thread=thread, bubble=bubble)
    seen = await filling.fill(world, form, spec.get("values") or {})
    return JSONResponse(
        {"screens": seen, "answer": form.answer, "said": form.said}, 200 if form.answer is not None else 409
    )


def _newest(thread: Thread, message_id: str) -> Any:
    flows = [one for one in thread.bubbles if "flow" in one.parts and (not message_id or one.id == message_id)]
    return flows[-1] if flows else None


def _page(form: OpenForm, *, customer: str) -> str:
    sheets = "".join(f'<link rel="stylesheet" href="/static/crm/css/{name}.css">' for name in SHEETS)
    title = text(form.layout.get("title") or form.flow.name)
    said = (
        f'<p class="sim-form__said" role="alert">{icon("alert-circle")}<span>{text(form.said)}</span></p>'
        if form.said
        else ""
    )
    inside = "" if form.is_over else "".join(_part(part, form) for part in form.components)
    return f"""<!doctype html>
<html lang="es">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" href="/static/crm/icons/favicon.svg" type="image/svg+xml">
  <title>{title} · Simulador</title>
  {sheets}
  <link rel="stylesheet" href="/static/whatsapp/simulator/simulator.css">
</head>
<body>
  <main class="sim-form"><div class="phone phone--full">
    <form class="sim-form__screen" method="post" action="/phone/form">{hidden(number=form.number.id, customer=customer)}
      <div class="sim-form__bar"><button class="btn btn--ghost btn--icon" type="submit" name="close" value="1" formnovalidate
        aria-label="Cerrar el formulario">{icon("x")}</button><h1>{title}</h1></div>
      <div class="sim-form__body">{said}{inside}</div>
    </form>
    <p class="sim-form__foot">{icon("lock")}Administrado por {text(form.number.name)}</p>
  </div></main>
</body>
</html>"""


def _part(part: dict[str, Any], form: OpenForm) -> str:
    kind, name = str(part.get("type")), text(part.get("name", ""))
    label = text(form.resolved(part.get("label", ""), {}))
    if tag := _HEADINGS.get(kind):
        said = form.resolved(part.get("text", ""), {})
        return f"<{tag}>{text(' '.join(map(str, said)) if isinstance(said, list) else said)}</{tag}>"
    if kind == "Footer":
        return f'<button class="btn btn--primary btn--block" type="submit">{label}</button>'
    value = form.known(part) if part.get("name") else ""
    required = " required" if part.get("required") else ""
    options = form.resolved(part.get("data-source") or [], {})
    options = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    if kind in ("TextInput", "DatePicker"):
        html_type = "date" if kind == "DatePicker" else _INPUT_TYPES.get(str(part.get("input-type")), "text")
        box = (
            f'<input class="input" type="{html_type}" name="{name}" value="{text(value)}" autocomplete="off"{required}>'
        )
    elif kind == "TextArea":
        box = f'<textarea class="textarea" rows="3" name="{name}"{required}>{text(value)}</textarea>'
    elif kind == "Dropdown":
        chosen = "".join(_option(one, one.get("id") == value) for one in options)
        box = f'<span class="select"><select name="{name}"{required}><option value=""></option>{chosen}</select></span>'
    elif kind == "RadioButtonsGroup" or kind in SEVERAL:
        of = "radio" if kind == "RadioButtonsGroup" else "checkbox"
        had = value if isinstance(value, list) else [value]
        ticks = "".join(_choice(one, name, of, one.get("id") in had) for one in options)
        return f'<fieldset class="field"><legend class="field__label">{label}</legend>{ticks}</fieldset>'
    elif kind == "OptIn":
        ticked = " checked" if value is True else ""
        return f'<label class="check"><input type="checkbox" name="{name}" value="1"{ticked}{required}> {label}</label>'
    else:
        return ""
    return f'<label class="field"><span class="field__label">{label}</span>{box}</label>'


def _option(one: dict[str, Any], is_chosen: bool) -> str:
    chosen = " selected" if is_chosen else ""
    return f'<option value="{text(one.get("id", ""))}"{chosen}>{text(one.get("title", ""))}</option>'


def _choice(one: dict[str, Any], name: str, of: str, is_chosen: bool) -> str:
    ticked = " checked" if is_chosen else ""
    value = text(one.get("id", ""))
    return f'<label class="check"><input type="{of}" name="{name}" value="{value}"{ticked}> {text(one.get("title", ""))}</label>'


def _values(form: OpenForm, given: dict[str, list[str]]) -> dict[str, Any]:
    """What was filled in on this screen, as WhatsApp hands it over."""
    values: dict[str, Any] = {}
    for part in form.components:
        name, kind = part.get("name"), part.get("type")
        if not name or kind == "Form":
            continue
        if kind in SEVERAL:
            values[name] = given.get(name, [])
        else:
            values[name] = name in given if kind == "OptIn" else _one(given, name)
    return values


def _open_form(world: World, number_id: str, customer: str) -> OpenForm | None:
    thread = world.threads.get(number_id=number_id, customer=digits(customer))
    return world.forms.get((number_id, thread.key)) if thread else None


def _address(number: str, customer: str) -> str:
    return "/phone/form?" + urlencode({"number": number, "customer": customer})


def _chat(number: str, customer: str) -> Response:
    return RedirectResponse("/?" + urlencode({"number": number, "customer": customer}), 303)


async def _form(request: Request) -> dict[str, list[str]]:
    return parse_qs((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)


def _one(given: dict[str, list[str]], name: str) -> str:
    return given.get(name, [""])[-1]


routes = [
    Route("/phone/form", show, methods=["GET"]),
    Route("/phone/form", submit, methods=["POST"]),
    Route("/phone/form/open", begin, methods=["POST"]),
    Route("/control/form", fill, methods=["POST"]),
]
