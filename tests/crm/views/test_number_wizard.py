"""Connecting a number against the simulated WhatsApp: with each thing that it needs broken, the broken one and its fix."""

from datetime import timedelta

import pytest

from crm.silences import SILENT
from tenants import clock
from tenants.models import Alert
from tests.crm.views.wizard import ACCOUNT, ENGLISH, at_the_simulator, breaks, checks_in, signed_in
from tests.whatsapp.simulator.conftest import NUMBER, TOKEN
from whatsapp.alerting import tell
from whatsapp.checking import check_connection
from whatsapp.flows import keys
from whatsapp.models import Endpoint, Flow, HealthChange, Number

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client, ours):
    return signed_in(client, ours.admin)


@pytest.fixture
def number(ours, simulator, application, settings):
    return at_the_simulator(ours, simulator, settings, application.url)


def hears(company) -> None:
    with company.transaction():
        Number.objects.filter(pk=company.number.pk).update(last_webhook_at=clock.now())


def post(client, number, do: str, **more):
    return client.post(f"/numbers/{number.pk}/mend/", {"do": do, **more}, headers={**ENGLISH, "HX-Request": "true"})


def checked(client, number, do: str = "check", **more) -> dict[str, tuple[str, str]]:
    return checks_in(post(client, number, do, **more).content.decode())


def test_a_number_that_lacks_nothing_is_all_green(admin, ours, number):
    hears(ours)

    found = checked(admin, number)

    assert len(found) == 10
    assert {kind for kind, (state, _said) in found.items() if state != "pass"} == set()


BROKEN = [
    ({"token_state": "invalid"}, "token", "Generate a new one in Business settings"),
    ({"token_state": "expired"}, "token", "it expired or was revoked"),
    ({"scopes": ["whatsapp_business_messaging"]}, "scopes", "The token lacks whatsapp_business_management"),
    ({"scopes": ["whatsapp_business_management"]}, "scopes", "The token lacks whatsapp_business_messaging"),
    ({"registered": False}, "registered", "choose a PIN of six digits"),
    ({"about": {"status": "BANNED"}}, "registered", "Ask for a review"),
    ({"subscribed": False}, "subscribed", "The app does not hear of this account"),
    ({"callback_url": "https://other.test/hook/"}, "address", "https://other.test/hook/, which is not us"),
    ({"about": {"health_status": {"can_send_message": "BLOCKED"}}}, "sending", "Account quality"),
]


@pytest.mark.parametrize(("conditions", "kind", "fix"), BROKEN)
def test_what_is_broken_is_named_with_its_fix_and_nothing_else_fails(
    admin,
    ours,
    number,
    simulator,
    conditions,
    kind,
    fix,
):
    hears(ours)
    breaks(simulator, **conditions)

    found = checked(admin, number)

    state, said = found[kind]
    assert state == "fail" and fix in said, said
    assert [other for other, (how, _said) in found.items() if how == "fail"] == [kind] or kind == "scopes"


def test_without_an_address_and_without_a_webhook_the_address_is_what_is_missing(admin, number, simulator):
    breaks(simulator, callback_url="")

    state, said = checked(admin, number)["address"]

    assert state == "fail"
    assert "Meta has no address" in said and "/webhooks/whatsapp/" in said and "verify token" in said


def test_an_id_that_whatsapp_does_not_know(admin, ours, number):
    with ours.transaction():
        Number.objects.filter(pk=number.pk).update(phone_number_id="999999999999999")

    state, said = checked(admin, number)["number"]

    assert state == "fail" and "Copy the phone number id, not the number" in said


def test_no_queue_is_named_and_choosing_one_there_mends_it(admin, ours, number):
    with ours.transaction():
        Number.objects.filter(pk=number.pk).update(queue=None)
    state, said = checked(admin, number)["queue"]
    assert state == "fail" and "wait in triage" in said

    admin.post(f"/numbers/{number.pk}/queue/", {"queue": str(ours.sales.pk), "next": "number"})

    assert checked(admin, number)["queue"][0] == "pass"


@pytest.mark.parametrize(
    ("conditions", "kind", "more"),
    [
        ({"registered": False}, "registered", {"pin": "123456"}),
        ({"subscribed": False}, "subscribed", {}),
        ({"callback_url": "https://other.test/"}, "address", {}),
    ],
)
def test_the_button_beside_it_mends_it(admin, number, simulator, conditions, kind, more):
    breaks(simulator, **conditions)
    assert checked(admin, number)[kind][0] == "fail"

    assert checked(admin, number, kind, **more)[kind][0] == "pass"


def test_a_wrong_pin_is_said_as_meta_says_it_and_forgotten_once_it_is_right(admin, number, simulator):
    breaks(simulator, registered=False, pin="654321")

    state, said = checked(admin, number, "registered", pin="111111")["registered"]
    assert state == "fail" and "PIN" in said and "Meta refused" in said
    assert "Meta refused" not in checked(admin, number)["registered"][1]

    assert checked(admin, number, "registered", pin="654321")["registered"][0] == "pass"


def test_a_pin_that_is_none_never_reaches_meta(admin, number, simulator):
    breaks(simulator, registered=False)
    check_connection(tenant_id=number.tenant_id, number_id=number.pk, now=clock.now())

    answer = post(admin, number, "registered", pin="12")

    assert answer.status_code == 422 and "A PIN has six digits" in answer.content.decode()


def test_a_verify_token_that_is_another_one_is_named(admin, number, simulator):
    breaks(simulator, callback_url="", given_verify_token="of somebody else")

    state, said = checked(admin, number, "address")["address"]

    assert state == "fail"
    assert "HTTP Status Code = 403" in said and "verify token" in said


def test_a_number_of_a_phone_is_never_registered_from_here(admin, ours, number, simulator):
    breaks(simulator, registered=False, about={"is_on_biz_app": True})
    state, said = checked(admin, number)["registered"]
    assert state == "fail" and "open the app on the phone" in said

    checked(admin, number, "registered", pin="123456")

    assert not breaks(simulator)["registered"]


def test_the_loop_waits_then_sees_a_real_webhook_then_gives_up(admin, ours, number):
    def loop() -> tuple[str, str]:
        return checks_in(admin.get(f"/numbers/{number.pk}/", headers=ENGLISH).content.decode())["loop"]

    assert "not tried yet" in loop()[1]
    answer = admin.post(f"/numbers/{number.pk}/test/", headers={**ENGLISH, "HX-Request": "true"}).content.decode()
    assert ", every 3s" in answer and checks_in(answer)["loop"][0] == "wait"

    with ours.transaction():
        Number.objects.filter(pk=number.pk).update(loop_started_at=clock.now() - timedelta(minutes=11))
    state, said = loop()
    assert state == "fail" and "META_APP_SECRET" in said

    hears(ours)
    assert loop()[0] == "pass"


def test_a_flow_that_is_used_without_a_key_is_named_and_uploading_one_mends_it(admin, ours, number):
    assert checked(admin, number)["flows"][0] == "pass"
    with ours.transaction():
        Flow.objects.create(
            tenant=ours.tenant, waba_id=number.waba_id, name="Mi perfil", provider_flow_id="4411", status="PUBLISHED"
        )
    state, said = checked(admin, number)["flows"]
    assert state == "fail" and "Meta has no key for this number: upload it" in said

    with ours.transaction():
        keys.put_into_use(keys.prepare(number=number), clock.now())

    assert checked(admin, number)["flows"][0] == "pass"


def test_what_stands_beside_the_list_is_told_too(admin, ours, number, simulator):
    breaks(simulator, token_state="expired")
    page = post(admin, number, "check").content.decode()
    assert "Meta refuses the token of ours ventas" in page and 'id="numbers-main" hx-swap-oob="true"' in page
    assert "It is paused" in page

    breaks(simulator, token_state="valid")
    page = post(admin, number, "check").content.decode()

    assert "Meta refuses the token" not in page and "It is paused" not in page and "never expires" in page


def test_a_number_that_is_silent_is_not_called_heard(admin, ours, number):
    with ours.transaction():
        Number.objects.update(last_webhook_at=clock.now() - timedelta(minutes=47))
        tell(ours.number, SILENT, True, minutes=47, every=2)
    state, said = checked(admin, number)["loop"]
    assert state == "fail" and "It usually hears something by now" in said

    hears(ours)
    assert checked(admin, number)["loop"][0] == "pass"


def test_a_page_of_a_number_that_was_never_asked_about_asks_once(admin, ours, number):
    assert 'hx-trigger="load"' in admin.get(f"/numbers/{number.pk}/", headers=ENGLISH).content.decode()

    assert 'hx-trigger="load"' not in post(admin, number, "check").content.decode()
    assert 'hx-trigger="load"' not in admin.get(f"/numbers/{number.pk}/", headers=ENGLISH).content.decode()


def test_a_whatsapp_that_does_not_answer_changes_nothing_and_says_so(admin, ours, number, settings):
    check_connection(tenant_id=number.tenant_id, number_id=number.pk, now=clock.now())
    settings.GRAPH_API_URL = "http://127.0.0.1:9"

    answer = post(admin, number, "check")

    assert answer.status_code == 422
    assert "WhatsApp could not be reached" in answer.content.decode()
    assert checks_in(answer.content.decode())["token"][0] == "pass"


def test_a_new_token_lets_a_paused_number_send(admin, ours, number, simulator):
    with ours.transaction():
        number.token = "EAAwrong"
        number.save(update_fields=["token"])
    check_connection(tenant_id=number.tenant_id, number_id=number.pk, now=clock.now())
    with ours.transaction():
        assert Number.objects.get(pk=number.pk).paused_reason == "auth"

    admin.post(f"/numbers/{number.pk}/token/", {"token": f" {TOKEN}\n", "waba_id": ""})

    with ours.transaction():
        assert Number.objects.get(pk=number.pk).can_send
        assert not Alert.objects.filter(resolved_at=None).exists()


# --- Connecting ----------------------------------------------------------------------------------------------------------


NEW = {"number": "100000000000004", "token": "EAAsim-demo-mayor-000004"}


@pytest.fixture
def sealed(admin, number) -> str:
    answer = admin.post("/numbers/connect/", {"waba_id": ACCOUNT, "token": NEW["token"]}, headers=ENGLISH)
    page = answer.content.decode()
    assert answer.status_code == 200 and "Nube Calzado Mayoristas" in page and NEW["token"] not in page
    return page.split('name="sealed" value="')[1].split('"')[0]


def choose(client, sealed: str, **more):
    said = {"waba_id": ACCOUNT, "sealed": sealed, "phone_number_id": NEW["number"], "alias": "Mayor", "queue": ""}
    return client.post("/numbers/connect/", said | more, headers=ENGLISH)


def test_a_number_is_picked_from_the_accounts_list(admin, ours, sealed):
    answer = choose(admin, sealed, queue=str(ours.sales.pk))

    with ours.transaction():
        new = Number.objects.defer(None).get(phone_number_id=NEW["number"])
        assert (new.alias, new.waba_id, new.token, new.queue_id) == ("Mayor", ACCOUNT, NEW["token"], ours.sales.pk)
        assert new.display_number == "+56 2 2700 1004"
        assert list(HealthChange.objects.filter(number=new).values_list("kind", flat=True)) == ["connected"]
    assert answer.url == f"/numbers/{new.pk}/"
    found = checks_in(admin.get(answer.url, headers=ENGLISH).content.decode())
    assert found["token"][0] == "pass" and found["registered"][0] == "fail"


def test_a_token_that_may_not_list_the_account_connects_the_number_that_is_written(admin, ours, number, simulator):
    simulator.call(
        "POST", "/control/numbers", {"phone_number_id": NEW["number"], "scopes": ["whatsapp_business_messaging"]}
    )
    said = {"waba_id": ACCOUNT, "token": NEW["token"]}
    assert admin.post("/numbers/connect/", said, headers=ENGLISH).status_code == 422

    page = admin.post("/numbers/connect/", said | {"phone_number_id": NEW["number"]}, headers=ENGLISH).content.decode()
    sealed = page.split('name="sealed" value="')[1].split('"')[0]
    refused = choose(admin, sealed, alias="")
    assert refused.status_code == 422 and NEW["number"] in refused.content.decode()
    answer = choose(admin, sealed)

    found = checks_in(admin.get(answer.url, headers=ENGLISH).content.decode())
    assert found["scopes"][0] == "fail" and "whatsapp_business_management" in found["scopes"][1]


def test_a_company_with_an_app_of_its_own_gets_the_address_of_that_app(admin, ours, sealed, settings):
    with ours.transaction():
        own = Endpoint.objects.create(tenant=ours.tenant, name="Nuestra app", key="nuestra", verify_token="palabra")

    answer = choose(admin, sealed, endpoint=str(own.pk))

    state, said = checks_in(admin.get(answer.url, headers=ENGLISH).content.decode())["address"]
    assert state == "fail" and f"{settings.BASE_URL}/webhooks/whatsapp/nuestra/" in said and "palabra" not in said


def test_one_that_is_here_or_elsewhere_is_refused_and_nothing_is_lost(admin, ours, theirs, sealed):
    answer = choose(admin, sealed, phone_number_id=NUMBER)
    assert answer.status_code == 422 and "connected already" in answer.content.decode()

    with theirs.transaction():
        Number.objects.filter(pk=theirs.number.pk).update(phone_number_id=NEW["number"])
    answer = choose(admin, sealed)
    page = answer.content.decode()
    assert answer.status_code == 422 and "Another company has this number" in page
    assert 'value="Mayor"' in page and sealed in page


def test_a_sealed_token_of_another_company_opens_nothing(client, ours, theirs, sealed):
    answer = choose(signed_in(client, theirs.admin), sealed)

    assert answer.status_code == 422 and "Paste the token again" in answer.content.decode()
    with theirs.transaction():
        assert Number.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"waba_id": ACCOUNT, "token": "EAAwrong"}, "Meta refuses this token"),
        ({"waba_id": "12ab5", "token": "EAA"}, "ids consist of digits"),
        ({"waba_id": ACCOUNT, "token": ""}, "This field is required"),
    ],
)
def test_a_token_or_account_that_is_none_is_explained(admin, number, said, complaint):
    answer = admin.post("/numbers/connect/", said, headers=ENGLISH)

    page = answer.content.decode()
    assert answer.status_code == 422 and complaint in page
    assert said["waba_id"] in page and said["token"] in page  # nobody pastes it twice


def test_the_profile_is_read_from_whatsapp_and_written_there(admin, number, simulator):
    page = admin.get(f"/numbers/{number.pk}/profile/", headers=ENGLISH).content.decode()
    assert "Zapatillas con los pies en la nube." in page and "hola@nubecalzado.test" in page

    said = {"about": "Pisa distinto.", "email": "", "website": "nubecalzado.test", "vertical": "APPAREL"}
    answer = admin.post(f"/numbers/{number.pk}/profile/", said)

    assert answer.url == f"/numbers/{number.pk}/"
    (kept,) = simulator.call("GET", f"/v25.0/{NUMBER}/whatsapp_business_profile", token=TOKEN)["data"]
    assert (kept["about"], kept["email"], kept["vertical"]) == ("Pisa distinto.", "", "APPAREL")
    assert kept["websites"] == ["https://nubecalzado.test"]
    assert admin.post(f"/numbers/{number.pk}/profile/", {"email": "no"}).status_code == 422
