"""A list of contacts brought in with its errors mended, two of them made one, and that taken back."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.journey

FILE = """\
nombre;teléfono;correo;acepta;ciudad
Iris Importada;+51 987 001 071;iris@correo.example;sí;Lima
Iris I.;987001072;iris.otra@correo.example;no;Cusco
Eva Corta;999 55;;;
"""


def test_a_list_is_brought_in_mended_and_two_are_made_one_and_taken_apart(running, person):
    supervisor = person("supervisor@demo.test")
    supervisor.goto("/contacts/")
    supervisor.locator("input[type=file]").set_input_files(
        {"name": "clientes.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )
    supervisor.wait_for_url("**/contacts/imports/**")
    figures = supervisor.locator("#import .trio dd")
    expect(figures).to_have_text(["1", "0", "2"])
    expect(supervisor.locator("#import .rowerrs li")).to_have_count(2)
    supervisor.locator("#import button[value=country]").click()
    expect(figures).to_have_text(["2", "0", "1"])
    supervisor.locator("#import [name=label]").fill("feria")
    supervisor.locator("#import button[value=run]").click()
    expect(supervisor.locator("#import button[value=undo]")).to_be_visible()

    supervisor.goto("/contacts/")
    supervisor.locator("#search").press_sequentially("iri")
    rows = supervisor.locator("#people tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("feria")
    rows.nth(0).locator("input").check()
    rows.nth(1).locator("input").check()
    expect(supervisor.locator("[data-chosen] [data-count]")).to_have_text("2")
    supervisor.locator("[data-chosen] button[formaction='/contacts/merge/']").click()
    expect(supervisor.locator(".merging")).to_contain_text("iris@correo.example")
    supervisor.locator(".merging input[name=name][value='Iris Importada']").check()
    supervisor.locator("form .btn--primary", has=supervisor.locator("svg")).click()

    expect(supervisor.locator("h1")).to_have_text("Iris Importada")
    expect(supervisor.locator(".addresses li")).to_have_count(2)
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001072"}, name="Iris", text="hola, soy yo"
    )
    supervisor.goto("/contacts/?q=987001071")
    expect(rows).to_have_count(1)
    rows.first.locator("a.link b").click()
    expect(supervisor.locator(".mini-list li")).to_have_count(1)

    supervisor.locator("form.notice button").click()
    expect(supervisor.locator("form.notice")).to_have_count(0)
    supervisor.goto("/contacts/?q=iri")
    expect(rows).to_have_count(2)
    with supervisor.expect_download() as taken_out:
        supervisor.locator("a[data-keeps-query]").click()
    lines = Path(taken_out.value.path()).read_text("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert {line.split(",")[0] for line in lines[1:]} == {"Iris Importada", "Iris I."}


def test_stop_alone_is_seen_in_the_thread_and_on_the_contact(running, person):
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001073"}, name="Berta Baja", text="Hola"
    )
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001073"}, name="Berta Baja", text="BAJA"
    )
    ana = person("ana@demo.test")
    ana.goto("/inbox/?q=berta")
    ana.locator(".conv", has_text="Berta Baja").click()

    expect(ana.locator(".activity", has_text="BAJA")).to_be_visible()
    ana.locator(".panel__head h2 a").click()
    expect(ana.locator(".flag.is-fail")).to_be_visible()
    ana.locator("button[name=wanted][value='1']").click()
    expect(ana.locator(".flag.is-fail")).to_have_count(0)
    expect(ana.locator(".changes li")).not_to_have_count(0)
