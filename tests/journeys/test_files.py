"""Photos and papers: one arrives and is seen, others are sent by choosing, dropping and pasting them."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.journey


def photo(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(out, "PNG")
    return out.getvalue()


DROP = """([name, type, bytes, kind]) => {
  const held = new DataTransfer();
  held.items.add(new File([new Uint8Array(bytes)], name, { type }));
  const target = document.querySelector("#composer #text");
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: held, bubbles: true, cancelable: true })
    : new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true });
  target.dispatchEvent(event);
}"""


def test_a_photo_arrives_and_files_go_back(running, person):
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001041"}, name="Fabiola Foto", type="image", text="este"
    )
    ana.locator(".conv", has_text="Fabiola Foto").click()
    picture = ana.locator(".msg a.media img")
    expect(picture).to_be_visible()
    ana.wait_for_function("() => document.querySelector('.msg a.media img')?.naturalWidth > 0")

    ana.locator("[data-files]").set_input_files(
        [
            {"name": "rosado.png", "mimeType": "image/png", "buffer": photo("pink")},
            {"name": "boleta.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 boleta"},
        ]
    )
    expect(ana.locator(".tray__file")).to_have_count(2)
    ana.locator("#composer #text").fill("Este es el rosado")
    ana.locator("#composer #text").press("Enter")
    expect(ana.locator(".msg--out a.media img")).to_be_visible()
    expect(ana.locator(".msg--out", has_text="Este es el rosado")).to_have_count(1)
    expect(ana.locator(".msg--out .chip-card", has_text="boleta.pdf")).to_be_visible()
    expect(ana.locator(".tray__file")).to_have_count(0)
    expect(ana.locator("#composer #text")).to_have_value("")

    for kind, name in (("drop", "soltado.png"), ("paste", "pegado.png")):
        ana.evaluate(DROP, [name, "image/png", list(photo("teal")), kind])
        expect(ana.locator(".tray__file", has_text=name)).to_be_visible()
        ana.locator("#composer [type=submit]").click()
        expect(ana.locator(".tray__file")).to_have_count(0)
    expect(ana.locator(".msg--out a.media")).to_have_count(3)
    for place in range(4):
        expect(ana.locator(".msg--out .tick:not([data-status=queued])").nth(place)).to_be_visible(timeout=30_000)

    sent = running.ledger(to="51987001041")
    assert sorted(entry["type"] for entry in sent) == ["document", "image", "image", "image"]
    assert {entry["count"] for entry in sent} == {1}


def test_a_file_that_cannot_go_says_why_and_stays(running, person):
    ana = person("ana@demo.test", expects_refusals=True)
    ana.goto("/inbox/?mode=all")
    running.customer_writes(phone_number_id="100000000000001", **{"from": "51987001042"}, name="Nora Nada", text="hola")
    ana.locator(".conv", has_text="Nora Nada").click()
    ana.locator("[data-files]").set_input_files({"name": "nada.txt", "mimeType": "text/plain", "buffer": b""})
    ana.locator("#composer #text").fill("le mando el texto")
    ana.locator("#composer [type=submit]").click()

    expect(ana.locator(".tray .composer__error")).to_be_visible()
    expect(ana.locator(".tray__file", has_text="nada.txt")).to_be_visible()
    expect(ana.locator("#composer #text")).to_have_value("le mando el texto")


def test_what_is_too_large_is_said_before_it_leaves_the_page(running, person):
    ana = person("ana@demo.test")
    ana.goto("/inbox/?mode=all")
    running.customer_writes(
        phone_number_id="100000000000001", **{"from": "51987001043"}, name="Gina Grande", text="hola"
    )
    ana.locator(".conv", has_text="Gina Grande").click()
    sent: list[str] = []
    ana.on("request", lambda request: sent.append(request.url) if "/files/" in request.url else None)
    video = {"name": "tienda.mp4", "mimeType": "video/mp4", "buffer": b"\0" * (17 * 1024 * 1024)}
    ana.locator("[data-files]").set_input_files(video)

    complaint = ana.locator(".tray .composer__error")
    expect(complaint).to_contain_text("tienda.mp4")
    expect(complaint).to_contain_text("16.0 MB")
    ana.locator("#composer [type=submit]").click()
    expect(complaint).to_be_visible()
    assert sent == []
    ana.check(".tray [name=shrink]")
    expect(complaint).to_have_count(0)
