"""A morning at the inbox: what arrives by itself, what is kept, what the keys do, and that nothing lies."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

pytestmark = pytest.mark.journey

OURS, SUPPORT = "100000000000001", "100000000000002"


@pytest.fixture
def customer(running):
    """Let somebody new write: `customer("Rosa Ventana", "hola")` gives their phone."""

    def write(name: str, text: str, phone: str = "") -> str:
        phone = phone or f"5198{uuid4().int % 10**7:07}"
        running.customer_writes(phone_number_id=OURS, **{"from": phone}, name=name, text=text)
        return phone

    return write


ARRIVES = 20_000
"""How long a message may take from the customer's phone to the page on a machine that does other things too."""


def row(page: Page, name: str):
    return page.locator("#rows .conv", has_text=name)


def arrived(page: Page, name: str, text: str = ""):
    """The row of somebody who wrote, once the page shows it by itself."""
    expect(row(page, name)).to_contain_text(text or name, timeout=ARRIVES)
    return row(page, name)


def open_conversation(page: Page, name: str) -> None:
    arrived(page, name).click()
    expect(page.locator(".thread__head h2")).to_have_text(name)


def test_unread_is_counted_shown_and_gone_once_seen(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    customer("Ulises Sinleer", "uno")
    expect(arrived(page, "Ulises Sinleer").locator(".count--unread")).to_contain_text("1")

    open_conversation(page, "Ulises Sinleer")

    expect(page.locator(".unread-line")).to_be_visible()
    expect(row(page, "Ulises Sinleer").locator(".count--unread")).to_have_count(0)


def test_text_is_sent_by_enter_in_the_order_it_was_written(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    customer("Orlando Orden", "hola")
    open_conversation(page, "Orlando Orden")

    box = page.locator("#text")
    box.click()
    for text in ("primero", "segundo", "tercero"):
        page.keyboard.type(text)
        page.keyboard.press("Enter")
    expect(box).to_have_value("")

    expect(page.locator(".msg--out .msg__text")).to_have_text(["primero", "segundo", "tercero"])
    expect(page.locator(".msg--pending")).to_have_count(0)
    expect(page.locator(".msg--out .tick[data-status=queued]")).to_have_count(0, timeout=30_000)


def test_a_lost_connection_loses_no_text_and_sends_no_copy(person, customer, running):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer("Cora Cortada", "hola")
    open_conversation(page, "Cora Cortada")
    # The request arrives and its answer is lost: the worst case for who tries again.
    page.evaluate(
        """() => {
            const real = window.fetch;
            let lost = false;
            window.fetch = async (address, ...rest) => {
                const answer = await real(address, ...rest);
                if (lost || !String(address).endsWith("/messages/")) return answer;
                lost = true;
                throw new TypeError("the answer was lost");
            };
        }"""
    )

    page.locator("#text").fill("una sola vez")
    page.keyboard.press("Enter")
    bubble = page.locator(".msg--out", has_text="una sola vez")
    again = bubble.locator("[data-resend]")
    # Either the refresh has brought the server's bubble, or the page says that it does not know and offers the way out.
    expect(again.or_(bubble.locator(".tick:not([data-status=queued])")).first).to_be_visible(timeout=30_000)
    again.evaluate_all("buttons => buttons.forEach((button) => button.click())")  # unless it has gone meanwhile

    expect(bubble).to_have_count(1)
    expect(bubble.locator(".tick[data-status=delivered], .tick[data-status=read]")).to_be_visible(timeout=30_000)
    assert [entry["count"] for entry in running.ledger(to=phone)] == [1]


def test_draft_survives_leaving_the_conversation_and_the_page(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    customer("Diana Borrador", "hola")
    customer("Elena Otra", "hola")
    open_conversation(page, "Diana Borrador")
    page.locator("#text").press_sequentially("a medio escri")

    open_conversation(page, "Elena Otra")
    expect(page.locator("#text")).to_have_value("")
    expect(row(page, "Diana Borrador")).to_contain_text("a medio escri")

    page.reload()
    open_conversation(page, "Diana Borrador")
    expect(page.locator("#text")).to_have_value("a medio escri")


def test_keys_move_close_reopen_search_and_explain(person, customer):
    page = person("ana@demo.test")
    customer("Teo Teclas", "hola")
    page.goto("/inbox/")
    arrived(page, "Teo Teclas")

    page.keyboard.press("j")
    expect(page.locator("#rows .conv").first).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator("#rows .conv").nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#rows .conv").first).to_be_focused()

    open_conversation(page, "Teo Teclas")
    page.keyboard.press("r")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#text")).not_to_be_focused()

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()

    page.mouse.move(900, 300)
    page.keyboard.press("e")
    expect(page.locator(".activity").last).to_contain_text(re.compile("cerró|closed"))
    expect(page.locator(".thread__head [data-key=e]")).to_contain_text(re.compile("Reabrir|Reopen"))
    page.keyboard.press("e")
    expect(page.locator(".activity").last).to_contain_text(re.compile("reabrió|reopened"))

    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("teo tec")
    expect(page.locator("#rows .conv")).to_have_count(1)
    expect(page).to_have_url(re.compile("q=teo"))


def test_rows_do_not_move_under_the_pointer(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    first = customer("Primera Fila", "hola")
    arrived(page, "Primera Fila")
    customer("Segunda Fila", "hola")
    arrived(page, "Segunda Fila")
    expect(page.locator("#rows .conv__name").first).to_have_text("Segunda Fila")

    row(page, "Segunda Fila").hover()
    page.wait_for_timeout(1100)  # WhatsApp's moments are whole seconds: the next message must be later, not as late
    customer("Primera Fila", "otra vez", phone=first)
    arrived(page, "Primera Fila", "otra vez")
    expect(page.locator("#rows .conv__name").first).to_have_text("Segunda Fila")

    page.mouse.move(900, 300)
    expect(page.locator("#rows .conv__name").first).to_have_text("Primera Fila")


def test_a_row_that_is_pressed_stays_until_it_is_let_go(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer("Dedo Quieto", "hola")
    arrived(page, "Dedo Quieto").hover()

    page.mouse.down()
    customer("Dedo Quieto", "otra vez", phone=phone)
    page.wait_for_timeout(1500)
    expect(row(page, "Dedo Quieto")).not_to_contain_text("otra vez")
    page.mouse.up()

    expect(page.locator(".thread__head h2")).to_have_text("Dedo Quieto")
    expect(row(page, "Dedo Quieto")).to_contain_text("otra vez")


def test_a_conversation_whose_row_changes_while_it_opens_is_open_and_stays_live(person, customer):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer("Lenta Apertura", "hola")
    address = arrived(page, "Lenta Apertura").get_attribute("href")
    slow: list[tuple[Route, APIResponse]] = []
    page.route(f"**{address}", lambda route: slow.append((route, route.fetch())))

    row(page, "Lenta Apertura").click()
    customer("Lenta Apertura", "otra vez", phone=phone)
    arrived(page, "Lenta Apertura", "otra vez")
    route, answer = slow[0]
    route.fulfill(response=answer)

    expect(page.locator(".thread__head h2")).to_have_text("Lenta Apertura")
    expect(page.locator("#conversation")).to_have_count(1)
    customer("Lenta Apertura", "y una más", phone=phone)
    expect(page.locator("#log .msg", has_text="y una más")).to_be_visible(timeout=ARRIVES)
    expect(page.locator("#log .msg", has_text="otra vez")).to_be_visible()


def test_a_list_to_which_many_come_at_once_loses_nobody(person, running):
    page = person("admin@demo.test")
    page.goto("/inbox/?mode=all")
    shown = page.locator("#rows > .list-row")
    expect(page.locator("#more")).to_be_attached()
    names = [f"Tarde Larga {i:03}" for i in range(190)]
    for i, name in enumerate(names):  # to a number that the other people here do not see
        running.customer_writes(phone_number_id=SUPPORT, **{"from": f"51983000{i:03}"}, name=name, text="sigo aquí")
        if i == 150:
            expect(row(page, name)).to_be_visible(timeout=ARRIVES)
    expect(row(page, names[-1])).to_be_visible(timeout=ARRIVES)

    page.locator(".list-pane__scroll").hover()
    for _ in range(40):
        page.mouse.wheel(0, 4_000)
        if shown.filter(has_text=names[0]).count():
            break
        page.wait_for_timeout(250)
    there = shown.filter(has_text="Tarde Larga").evaluate_all("rows => rows.map((row) => row.dataset.name)")
    assert sorted(there) == names  # those of one second in any order


@pytest.mark.parametrize("many", [15, 40], ids=["more than a brief answer has", "more than a page of the thread has"])
def test_an_open_thread_in_which_many_come_at_once_stays_in_order(person, customer, many):
    name = f"Verónica Veloz {many}"
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer(name, "línea 000")
    open_conversation(page, name)
    customer(name, "línea 001", phone)
    expect(page.locator(".msg", has_text="línea 001")).to_be_visible(timeout=ARRIVES)

    changes = re.compile(r"/inbox/changes/")
    page.route(changes, lambda _route: None)  # the line is slow while all of them come
    for i in range(2, many):
        customer(name, f"línea {i:03}", phone)
    said = page.locator("#log .msg__text")
    elsewhere = person("supervisor@demo.test")
    elsewhere.goto("/inbox/?mode=all")
    expect(row(elsewhere, name).locator(".count--unread")).to_contain_text(str(many - 2), timeout=ARRIVES)
    expect(said).to_have_count(2)
    page.unroute(changes)  # which lets go of what was held

    expect(said).to_have_count(min(many, 30), timeout=ARRIVES)
    shown = said.all_inner_texts()
    page.reload()
    assert shown == said.all_inner_texts()  # those of one second stand as the server sorts them


def test_without_the_stream_the_page_says_so_and_still_works(person, customer):
    page = person("ana@demo.test")
    page.route("**/live/", lambda route: route.fulfill(status=204))
    page.goto("/inbox/?mode=all")
    expect(page.locator("#live-notice")).to_be_visible(timeout=15_000)

    customer("Pilar Sondeo", "llegué sin corriente")

    expect(row(page, "Pilar Sondeo")).to_be_visible(timeout=40_000)


def test_a_telephone_shows_one_column_at_a_time(person, customer):
    page = person("ana@demo.test", width=390, height=844)
    page.goto("/inbox/?mode=all")
    customer("Móvil Angosto", "desde la calle")
    arrived(page, "Móvil Angosto")
    expect(page.locator(".thread")).to_be_hidden()

    row(page, "Móvil Angosto").click()
    expect(page.locator("#text")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.locator(".thread__back").click()
    expect(row(page, "Móvil Angosto")).to_be_visible()


def test_labels_are_put_on_and_taken_off_without_leaving_the_keyboard(running, person):
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001061"}, name="Lola Label", text="hola"
    )
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Lola Label").click()
    field = ana.locator("#panel input[name=add]")
    field.click()
    expect(ana.locator("#labels option[value=mayorista]")).to_have_count(1)
    for word in ("mayorista", "por cobrar"):
        field.fill(word)
        field.press("Enter")
        expect(ana.locator("#panel .label", has_text=word)).to_be_visible()
        expect(field).to_be_focused()
        expect(field).to_have_value("")
    ana.locator("#panel .label", has_text="por cobrar").locator("button").click()
    expect(ana.locator("#panel .label", has_text="por cobrar")).to_have_count(0)
    expect(ana.locator("#panel .label", has_text="mayorista")).to_be_visible()


def test_what_was_asked_for_before_a_label_does_not_take_its_field_back(running, person):
    customer = {"phone_number_id": "100000000000001", "from": "51987001062", "name": "Lía Lenta"}
    running.customer_writes(**customer, text="hola")
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    ana.locator(".conv", has_text="Lía Lenta").click()
    field = ana.locator("#panel input[name=add]")
    field.click()
    slow: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if slow:
            route.continue_()
        else:
            slow.append((route, route.fetch()))

    ana.route(f"**{ana.locator('#inbox').get_attribute('data-changes')}*", hold)
    running.customer_writes(**customer, text="otra")
    for _ in range(100):
        if slow:
            break
        ana.wait_for_timeout(100)
    field.fill("mayorista")
    with ana.expect_response("**/labels/"):
        field.press("Enter")
    ana.wait_for_timeout(200)
    route, before = slow[0]
    route.fulfill(response=before)
    expect(ana.locator("#panel .label", has_text="mayorista")).to_be_visible()
    expect(field).to_be_focused()
    expect(field).to_have_value("")


def test_a_slash_finds_a_quick_reply_and_enter_sends_its_choices(person, customer, running):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer("Rita Rápida", "¿cuánto cuesta el envío?")
    open_conversation(page, "Rita Rápida")

    page.locator("#text").click()
    page.keyboard.type("/env")
    expect(page.locator("[data-reply=envio]")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#choices-preview .wa__btns li")).to_have_count(3)
    page.keyboard.press("Enter")

    expect(page.locator(".msg--out .msg__buttons li")).to_have_count(3)
    expect(page.locator("#choices-preview")).to_be_empty()
    expect(page.locator(".msg--out [data-status=queued]")).to_have_count(0, timeout=ARRIVES)
    sent = [each for each in running.ledger() if each["to"] == phone]
    assert [each["type"] for each in sent] == ["interactive"]


def test_an_edit_and_a_deletion_change_the_open_thread_by_themselves(person, customer, running):
    page = person("ana@demo.test")
    page.goto("/inbox/?mode=all")
    phone = customer("Eva Edita", "¿qué talla tienen?")
    open_conversation(page, "Eva Edita")
    about = {"phone_number_id": OURS, "from": phone}

    wamid = running.customer_writes(**about, type="text", text="quiero la 37")["wamid"]
    expect(page.locator(".msg", has_text="quiero la 37")).to_be_visible(timeout=ARRIVES)
    running.customer_writes(**about, type="edit", message_id=wamid, text="quiero la 38")
    expect(page.locator(".msg", has_text="quiero la 38")).to_contain_text("editado", timeout=ARRIVES)
    running.customer_writes(**about, type="revoke", message_id=wamid)

    expect(page.locator(".msg", has_text="El cliente eliminó este mensaje")).to_have_count(1, timeout=ARRIVES)
    expect(page.locator(".msg")).to_have_count(2)
