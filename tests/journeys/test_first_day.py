"""What a newcomer does first: see a customer's message arrive, answer it, give a number its queue."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey


def test_a_message_arrives_by_itself_and_the_answer_is_read(running, person):
    inbox = person("ana@demo.test")
    inbox.goto("/inbox/?mode=all")

    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001001"}, name="Julia Journey", text="¿Tienen botas 38?"
    )
    row = inbox.locator(".conv", has_text="Julia Journey")
    expect(row).to_contain_text("¿Tienen botas 38?")
    row.click()
    expect(inbox.locator(".msg", has_text="¿Tienen botas 38?")).to_be_visible()

    box = inbox.locator("textarea").first
    box.fill("¡Hola Julia! Sí, quedan dos pares.")
    box.press("Enter")
    answer = inbox.locator(".msg--out", has_text="quedan dos pares")
    expect(answer).to_have_count(1)
    expect(answer.locator(".tick[data-status=read], .tick[data-status=delivered]")).to_be_visible(timeout=30_000)

    (sent,) = running.ledger(to="51987001001")
    assert sent["phone_number_id"] == "100000000000001"
    assert sent["token"] == "000001"
    assert sent["count"] == 1


def test_a_number_without_queue_is_seen_in_triage_and_moves_when_it_gets_one(running, person):
    supervisor = person("supervisor@demo.test")
    running.customer_writes(
        phone_number_id="100000000000003", **{"from": "56987001002"}, name="Tomás Triaje", text="hola, ¿hay alguien?"
    )
    supervisor.goto("/inbox/?mode=triage")
    expect(supervisor.locator(".conv", has_text="Tomás Triaje")).to_be_visible()

    admin = person("admin@demo.test")
    admin.goto("/admin/whatsapp/number/")
    numbers = admin.locator("select[name$=-queue]")
    unassigned = next(i for i in range(numbers.count()) if not numbers.nth(i).input_value())
    numbers.nth(unassigned).select_option(label="Soporte")
    admin.locator("[name=_save]").click()

    luis = person("luis@demo.test")
    luis.goto("/inbox/?mode=all")
    running.customer_writes(
        phone_number_id="100000000000003", **{"from": "56987001003"}, name="Sofía Soporte", text="mi pedido no llegó"
    )
    expect(luis.locator(".conv", has_text="Sofía Soporte")).to_be_visible()
    expect(luis.locator(".conv", has_text="Tomás Triaje")).to_be_visible()


def test_another_company_sees_and_sends_only_its_own(running, person):
    other = person("owner@otra.test")
    other.goto("/inbox/?mode=all")
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001004"}, name="Secreta Nuestra", text="x"
    )
    running.customer_writes(
        phone_number_id="200000000000001", **{"from": "525587001005"}, name="Clienta Ajena", text="hola"
    )

    row = other.locator(".conv", has_text="Clienta Ajena")
    expect(row).to_be_visible()
    expect(other.locator(".conv", has_text="Secreta Nuestra")).to_have_count(0)
    row.click()
    box = other.locator("textarea").first
    box.fill("Buenas tardes")
    box.press("Enter")
    expect(other.locator(".msg--out", has_text="Buenas tardes")).to_have_count(1)
    expect(
        other.locator(".msg--out .tick[data-status=delivered], .msg--out .tick[data-status=read]").last
    ).to_be_visible(timeout=30_000)

    sent = running.ledger(phone_number_id="200000000000001")
    assert {entry["token"] for entry in sent} == {"000009"}


def test_reading_and_answering_work_without_javascript(running, person):
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001006"}, name="Nora Sinjs", text="buenas"
    )
    page = person("ana@demo.test", java_script_enabled=False)

    for _ in range(20):
        page.goto("/inbox/?mode=all")
        if page.locator(".conv", has_text="Nora Sinjs").count():
            break
        page.wait_for_timeout(300)
    page.locator(".conv", has_text="Nora Sinjs").click()
    page.locator("textarea").first.fill("Hola Nora, respuesta sin JavaScript")
    page.locator("form:has(textarea) button[type=submit]").first.click()

    expect(page.locator(".msg--out", has_text="respuesta sin JavaScript")).to_have_count(1)
