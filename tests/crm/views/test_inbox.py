from tests.crm.views.talk import conversation, inbound


def test_page_shows_who_waits(client, ours):
    with ours.transaction():
        rosa = conversation(ours, "Rosa Quispe")
        inbound(rosa, "¿Tienen la 37?")
    client.force_login(ours.ana.user)

    page = client.get("/inbox/")

    assert page.status_code == 200
    assert "Rosa Quispe" in page.content.decode()
    assert "¿Tienen la 37?" in page.content.decode()


def test_thread_page(client, ours):
    with ours.transaction():
        rosa = conversation(ours, "Rosa Quispe")
        inbound(rosa, "¿Tienen la 37?")
    client.force_login(ours.ana.user)

    page = client.get(f"/inbox/{rosa.pk}/")
    changes = client.get(f"/inbox/changes/?ids={rosa.pk}&open={rosa.pk}&writes=text", headers={"HX-Request": "true"})

    assert page.status_code == 200
    assert changes.status_code == 200
