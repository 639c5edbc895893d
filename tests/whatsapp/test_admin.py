"""Numbers and webhooks in the admin: the queue in the list, the file, the secrets that never come back."""

import json
import re

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tenants.context import system_transaction
from tenants.models import Alert
from tests import back_office
from whatsapp import tasks
from whatsapp.alerting import tell
from whatsapp.checking import PAUSED
from whatsapp.models import Endpoint, EventState, Number, TokenState, WebhookEvent
from whatsapp.signals import numbers_routed

pytestmark = pytest.mark.django_db

NUMBERS = "admin:whatsapp_number_changelist"
TYPED = "EAAG-typed-by-hand"


@pytest.fixture
def our_admin(ours, theirs):
    back_office.furnish(theirs, "theirs")
    return back_office.sign_in(ours.admin.user)


@pytest.fixture
def operator(db):
    return back_office.sign_in(back_office.operator())


@pytest.fixture
def rung(monkeypatch):
    bells = []
    for name in ("check_connection", "replay_number"):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda *args, name=name: bells.append((name, args)))
    return bells


@pytest.fixture
def heard():
    calls = []

    def listen(sender, tenant_id, number_ids, **kwargs):
        calls.append((tenant_id, number_ids))

    numbers_routed.connect(listen)
    yield calls
    numbers_routed.disconnect(listen)


def text(response) -> str:
    return response.content.decode()


def stored(company, **lookup):
    with company.transaction():
        return Number.objects.defer(None).get(**(lookup or {"pk": company.number.pk}))


def inline(client, *choices):
    """Send the list back with these (number, queue) in its rows."""
    data = {"form-TOTAL_FORMS": len(choices), "form-INITIAL_FORMS": len(choices), "_save": "1"}
    for row, (number, queue) in enumerate(choices):
        data |= {f"form-{row}-id": str(number.pk), f"form-{row}-queue": str(queue.pk) if queue else ""}
    return client.post(reverse(NUMBERS), data)


def number_form(number, **changes):
    return {
        "alias": number.alias,
        "provider": "cloud",
        "phone_number_id": number.phone_number_id,
        "display_number": number.display_number,
        "waba_id": number.waba_id,
        "queue": str(number.queue_id or ""),
        "is_active": "on",
        "_save": "1",
    } | changes


def upload(client, content, **data):
    file = SimpleUploadedFile(
        "connections.json", content if isinstance(content, bytes) else json.dumps(content).encode()
    )
    return client.post(reverse("admin:whatsapp_number_upload_connections"), {"file": file, **data})


# --- The queue in the list ------------------------------------------------------------------------------------------


def test_the_queue_is_changed_in_the_list_and_heard_of(our_admin, ours, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = inline(our_admin, (ours.number, ours.support))

    assert response.status_code == 302
    assert stored(ours).queue_id == ours.support.pk
    assert heard == [(ours.tenant.pk, [ours.number.pk])]


def test_a_list_sent_back_unchanged_says_nothing(our_admin, ours, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        inline(our_admin, (ours.number, ours.sales))

    assert heard == []


def test_a_queue_of_the_other_company_is_refused(our_admin, ours, theirs):
    response = inline(our_admin, (ours.number, theirs.support))

    assert response.status_code == 200
    assert stored(ours).queue_id == ours.sales.pk


def test_the_operator_gives_each_number_a_queue_of_its_own_company(operator, ours, theirs):
    assert inline(operator, (ours.number, ours.support), (theirs.number, theirs.support)).status_code == 302
    assert stored(theirs).queue_id == theirs.support.pk

    response = inline(operator, (ours.number, theirs.sales), (theirs.number, theirs.sales))

    assert response.status_code == 200
    assert stored(ours).queue_id == ours.support.pk


def test_the_operators_list_offers_each_row_its_own_companys_queues(operator, ours, theirs):
    shown = text(operator.get(reverse(NUMBERS)))

    selects = re.findall(r'<select name="form-\d-queue".*?</select>', shown, re.DOTALL)
    assert len(selects) == 2
    for select in selects:
        assert (str(ours.support.pk) in select) != (str(theirs.support.pk) in select)


def test_numbers_without_queue_are_one_click_away(our_admin, ours):
    assert "ours ventas" not in text(our_admin.get(reverse(NUMBERS), {"queue": "none"}))
    with ours.transaction():
        Number.objects.update(queue=None)

    assert "ours ventas" in text(our_admin.get(reverse(NUMBERS), {"queue": "none"}))
    assert our_admin.get(reverse(NUMBERS), {"queue": "nonsense"}).status_code == 200


# --- One number -----------------------------------------------------------------------------------------------------


def test_a_token_is_written_and_never_shown(our_admin, ours, rung, django_capture_on_commit_callbacks):
    url = reverse("admin:whatsapp_number_change", args=[ours.number.pk])
    with django_capture_on_commit_callbacks(execute=True):
        response = our_admin.post(url, number_form(ours.number, new_token=TYPED))

    assert response.status_code == 302
    assert stored(ours).token == TYPED
    assert rung == [("check_connection", (str(ours.tenant.pk), str(ours.number.pk)))]
    for shown in (
        our_admin.get(url),
        our_admin.get(reverse(NUMBERS)),
        our_admin.post(url, number_form(ours.number, alias="", new_token=TYPED)),
    ):
        assert TYPED not in text(shown)


def test_an_empty_token_keeps_the_stored_one(our_admin, ours, rung, django_capture_on_commit_callbacks):
    with ours.transaction():
        Number.objects.update(token_state=TokenState.VALID)
    with django_capture_on_commit_callbacks(execute=True):
        our_admin.post(
            reverse("admin:whatsapp_number_change", args=[ours.number.pk]),
            number_form(ours.number, alias="Otro", new_token=""),
        )

    assert (stored(ours).alias, stored(ours).token) == ("Otro", "token-of-ours-000001")
    assert stored(ours).token_state == TokenState.VALID
    assert rung == []


def test_a_token_with_a_slip_of_the_clipboard_is_refused(our_admin, ours):
    response = our_admin.post(
        reverse("admin:whatsapp_number_change", args=[ours.number.pk]),
        number_form(ours.number, new_token="EAA one\ntwo"),
    )

    assert "copy it once more" in text(response)
    assert stored(ours).token == "token-of-ours-000001"


def test_a_new_number_is_ones_own_and_heard_of(our_admin, ours, rung, heard, django_capture_on_commit_callbacks):
    data = number_form(ours.number, alias="Nuevo", phone_number_id="100000000000900", new_token=TYPED)
    with django_capture_on_commit_callbacks(execute=True):
        response = our_admin.post(reverse("admin:whatsapp_number_add"), data)

    assert response.status_code == 302
    number = stored(ours, alias="Nuevo")
    assert number.token == TYPED
    assert heard == [(ours.tenant.pk, [number.pk])]


def test_a_number_of_another_company_is_refused_without_naming_it(our_admin, ours, theirs):
    data = number_form(ours.number, alias="Nuevo", phone_number_id=theirs.number.phone_number_id)

    response = our_admin.post(reverse("admin:whatsapp_number_add"), data)

    assert response.status_code == 200
    assert "Another company has this number" in text(response)
    assert "theirs" not in text(response)


def test_ones_own_number_twice_is_a_sentence(our_admin, ours):
    data = number_form(ours.number, alias="Doble")

    response = our_admin.post(reverse("admin:whatsapp_number_add"), data)

    assert response.status_code == 200
    with ours.transaction():
        assert Number.objects.count() == 1


def test_the_operator_adds_a_number_to_a_company_with_its_queues(operator, ours, theirs, rung):
    url = reverse("admin:whatsapp_number_add") + f"?tenant={theirs.tenant.pk}"
    shown = text(operator.get(url))
    assert str(theirs.sales.pk) in shown and str(ours.sales.pk) not in shown

    data = number_form(theirs.number, alias="Nuevo", phone_number_id="100000000000901", queue=str(theirs.sales.pk))
    assert operator.post(url, data).status_code == 302

    assert stored(theirs, alias="Nuevo").queue_id == theirs.sales.pk


def test_the_operator_cannot_give_a_number_the_queue_of_another_company(operator, ours, theirs):
    data = number_form(ours.number, queue=str(theirs.sales.pk))

    response = operator.post(reverse("admin:whatsapp_number_change", args=[ours.number.pk]), data)

    assert response.status_code == 200
    assert stored(ours).queue_id == ours.sales.pk


# --- Actions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "bell"), [("check_connection", "check_connection"), ("replay_events", "replay_number")]
)
def test_actions_ring_after_commit(our_admin, ours, theirs, rung, django_capture_on_commit_callbacks, action, bell):
    chosen = [str(ours.number.pk), str(theirs.number.pk)]
    with django_capture_on_commit_callbacks(execute=True):
        our_admin.post(reverse(NUMBERS), {"action": action, "_selected_action": chosen})
        assert rung == []

    assert rung == [(bell, (str(ours.tenant.pk), str(ours.number.pk)))]


def test_a_paused_number_sends_again(our_admin, ours):
    with ours.transaction():
        Number.objects.update(paused_reason="billing")
        tell(ours.number, PAUSED, True)

    our_admin.post(reverse(NUMBERS), {"action": "resume", "_selected_action": [str(ours.number.pk)]})

    assert stored(ours).paused_reason == ""
    with ours.transaction():
        assert not Alert.objects.filter(resolved_at=None).exists()


# --- connections.json -----------------------------------------------------------------------------------------------

ENTRY = {"id": "wsp-1", "alias": "Tienda", "phoneNumberId": "100000000000700", "accessToken": TYPED, "updatedAt": 1}


def test_the_list_has_a_button_for_the_file(our_admin):
    assert reverse("admin:whatsapp_number_upload_connections") in text(our_admin.get(reverse(NUMBERS)))


def test_an_uploaded_file_is_imported_and_summarised(our_admin, ours, rung, heard, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = upload(our_admin, [ENTRY, {"alias": "Rota", "phoneNumberId": 5}])

    shown = text(response)
    number = stored(ours, alias="Tienda")
    assert "created" in shown and "not imported" in shown and "phoneNumberId must be text" in shown
    assert "Tienda has no queue" in shown
    assert TYPED not in shown
    assert heard == [(ours.tenant.pk, [number.pk])]
    assert rung == [("check_connection", (str(ours.tenant.pk), str(number.pk)))]


def test_uploading_it_again_changes_nothing(our_admin, ours, rung):
    upload(our_admin, [ENTRY])

    shown = text(upload(our_admin, [ENTRY]))

    assert "unchanged" in shown and "0 numbers changed." in shown


@pytest.mark.parametrize("content", [b"", b"[{]", b"\xff", b"{}"])
def test_an_unusable_file_is_a_sentence_at_the_field(our_admin, content):
    response = upload(our_admin, content)

    assert response.status_code == 422
    assert 'role="alert"' in text(response)


def test_the_operator_says_for_which_company(operator, ours, theirs):
    assert upload(operator, [ENTRY]).status_code == 422

    assert upload(operator, [ENTRY], tenant=str(theirs.tenant.pk)).status_code == 200

    assert stored(theirs, alias="Tienda")


def test_an_agent_uploads_nothing(ours):
    assert upload(back_office.sign_in(ours.ana.user), [ENTRY]).status_code == 302
    with ours.transaction():
        assert Number.objects.count() == 1


# --- Webhook addresses and events -------------------------------------------------------------------------------------


def test_the_key_of_an_address_is_unique_over_all_companies(our_admin, ours):
    data = {"name": "Nuestra", "provider": "cloud", "key": "theirs-key", "is_active": "on", "new_app_secret": TYPED}

    assert "This key is taken" in text(our_admin.post(reverse("admin:whatsapp_endpoint_add"), data))
    assert our_admin.post(reverse("admin:whatsapp_endpoint_add"), data | {"key": "our-key"}).status_code == 302

    with ours.transaction():
        endpoint = Endpoint.objects.get()
        assert endpoint.app_secret == TYPED
    shown = text(our_admin.get(reverse("admin:whatsapp_endpoint_change", args=[endpoint.pk])))
    assert TYPED not in shown and "/webhooks/whatsapp/our-key/" in shown


@pytest.fixture
def event(ours):
    with system_transaction():
        return WebhookEvent.objects.create(
            tenant=ours.tenant, body=b'{"said": "secret words"}', state=EventState.DEAD, reason="Broken", attempts=8
        )


def test_an_event_is_replayed(our_admin, event):
    our_admin.post(
        reverse("admin:whatsapp_webhookevent_changelist"), {"action": "replay", "_selected_action": [str(event.pk)]}
    )

    with system_transaction():
        replayed = WebhookEvent.objects.get(pk=event.pk)
    assert (replayed.state, replayed.attempts, replayed.reason) == (EventState.NEW, 0, "")


def test_an_event_of_nobody_is_the_operators_alone(our_admin, operator):
    with system_transaction():
        nobody = WebhookEvent.objects.create(
            body=b"{}", state=EventState.UNROUTED, reason="No such number", unrouted_number_ids=["999000000000009"]
        )
    url = reverse("admin:whatsapp_webhookevent_changelist")

    assert "999000000000009" in text(operator.get(url))
    assert "999000000000009" not in text(our_admin.get(url))
    our_admin.post(url, {"action": "replay", "_selected_action": [str(nobody.pk)]})
    with system_transaction():
        assert WebhookEvent.objects.get(pk=nobody.pk).state == EventState.UNROUTED


def test_a_body_is_shown_to_the_operator_who_says_why(operator, event):
    url = reverse("admin:whatsapp_webhookevent_show_body", args=[event.pk])

    assert url in text(operator.get(reverse("admin:whatsapp_webhookevent_change", args=[event.pk])))
    assert "secret words" not in text(operator.get(url))
    assert "secret words" not in text(operator.post(url, {"reason": " "}))
    assert not LogEntry.objects.exists()

    response = operator.post(url, {"reason": "Ticket 42"})

    assert "secret words" in text(response)
    assert "no-store" in response["Cache-Control"]
    entry = LogEntry.objects.get()
    assert (entry.user.email, entry.object_id) == ("operator@ventana.test", str(event.pk))
    assert "Ticket 42" in entry.get_change_message()


def test_a_body_is_shown_to_nobody_else(our_admin, event):
    url = reverse("admin:whatsapp_webhookevent_show_body", args=[event.pk])

    assert our_admin.get(url).status_code == 403
    assert our_admin.post(url, {"reason": "Ticket 42"}).status_code == 403
    detail = text(our_admin.get(reverse("admin:whatsapp_webhookevent_change", args=[event.pk])))
    assert "secret words" not in detail and url not in detail


def test_templates_and_events_are_for_looking(our_admin, operator):
    for client in (our_admin, operator):
        assert client.get(reverse("admin:whatsapp_template_add")).status_code == 403
        assert client.get(reverse("admin:whatsapp_webhookevent_add")).status_code == 403
