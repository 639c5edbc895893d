"""What a person asks for, told to WhatsApp; against the simulator."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from crm.flows import builtin
from crm.inbound.notices import merge_notices
from tenants import clock
from tenants.context import system_transaction
from tenants.models import Alert
from tests.cast import Company
from tests.crm.views.talk import NOON
from whatsapp.events import Notice
from whatsapp.flows import keys, registry
from whatsapp.models import Flow, FlowStatus, FlowWish
from whatsapp.simulator.process import Simulator

pytestmark = pytest.mark.django_db

WABA, TOKEN = "300000000000001", "EAAsim-demo-ventas-000001"


def asked(company: Company, wish: FlowWish, **fields: Any) -> Flow:
    with company.transaction():
        return Flow.objects.create(
            tenant=company.tenant, wish=wish,
            **{"waba_id": WABA, "name": "Mi perfil", "source": builtin.profile(), "categories": ["SIGN_UP"]} | fields,
        )  # fmt: skip


def perform(flow: Flow) -> Flow | None:
    registry.perform(tenant_id=flow.tenant_id, flow_id=flow.pk, now=clock.now())
    with system_transaction():
        return Flow.objects.filter(pk=flow.pk).first()


def again(company: Company, flow: Flow, wish: FlowWish) -> Flow | None:
    with company.transaction():
        Flow.objects.get(pk=flow.pk).wants(wish)
    return perform(flow)


def remote(simulator: Simulator) -> list[dict[str, Any]]:
    fields = "id,name,status,endpoint_uri"
    return simulator.call("GET", f"/v25.0/{WABA}/flows?fields={fields}", token=TOKEN)["data"]


@pytest.fixture
def with_key(ours, whatsapp) -> None:
    with ours.transaction():
        keys.prepare(number=ours.number)
    keys.upload(tenant_id=ours.tenant.pk, number_id=ours.number.pk, now=clock.now())


def test_it_is_made_filled_and_published(ours, whatsapp, with_key, settings):
    settings.BASE_URL = "https://crm.example"
    flow = perform(asked(ours, FlowWish.PUBLISH))

    assert (flow.status, flow.wish, flow.refusal, flow.validation_errors) == ("PUBLISHED", "", "", [])
    assert remote(whatsapp) == [
        {"id": flow.provider_flow_id, "name": "Mi perfil", "status": "PUBLISHED",
         "endpoint_uri": "https://crm.example/flows/100000000000001/"}
    ]  # fmt: skip


def test_a_key_that_waits_goes_first(ours, whatsapp):
    with ours.transaction():
        keys.prepare(number=ours.number)

    assert perform(asked(ours, FlowWish.PUBLISH)).status == FlowStatus.PUBLISHED


def test_faults_of_the_file_come_back_with_their_lines(ours, whatsapp):
    source = builtin.profile().replace('"TextHeading"', '"TextHeadline"')
    flow = perform(asked(ours, FlowWish.PUBLISH, source=source))

    (fault,) = flow.validation_errors
    assert "TextHeadline" in source.splitlines()[fault["line_start"] - 1]
    assert flow.status == FlowStatus.DRAFT and flow.wish == "" and flow.refusal


def test_a_refusal_is_what_whatsapp_said(ours, whatsapp):
    flow = perform(asked(ours, FlowWish.PUBLISH))

    assert "public key" in flow.refusal and flow.wish == "" and flow.status == FlowStatus.DRAFT


def test_what_did_not_arrive_stays_asked_for(ours, settings):
    settings.GRAPH_API_URL = "http://127.0.0.1:9"
    flow = perform(asked(ours, FlowWish.PUBLISH))

    assert flow.wish == FlowWish.PUBLISH and flow.refusal == ""
    assert registry.due(now=clock.now())[0] == []  # not before the lease is over


def test_one_that_was_made_although_the_answer_was_lost_is_taken_over(ours, whatsapp, with_key):
    whatsapp.call("POST", f"/v25.0/{WABA}/flows", {"name": "Mi perfil", "categories": ["OTHER"], "endpoint_uri": "https://x.test/"}, token=TOKEN)  # fmt: skip

    flow = perform(asked(ours, FlowWish.PUBLISH))

    assert flow.status == FlowStatus.PUBLISHED and len(remote(whatsapp)) == 1


def test_it_is_taken_back(ours, whatsapp, with_key):
    flow = perform(asked(ours, FlowWish.PUBLISH))
    flow = again(ours, flow, FlowWish.DEPRECATE)

    assert flow.status == FlowStatus.DEPRECATED
    assert remote(whatsapp)[0]["status"] == "DEPRECATED"


def test_a_draft_is_deleted_there_and_here(ours, whatsapp):
    flow = perform(asked(ours, FlowWish.UPLOAD))
    assert remote(whatsapp)

    assert again(ours, flow, FlowWish.DELETE) is None
    assert remote(whatsapp) == []


def test_without_a_number_it_says_so(ours, whatsapp):
    flow = perform(asked(ours, FlowWish.UPLOAD, waba_id="399999999999999"))

    assert flow.refusal and flow.wish == ""


def test_what_is_at_whatsapp_is_mirrored(ours, whatsapp):
    made = whatsapp.call("POST", f"/v25.0/{WABA}/flows", {"name": "Theirs", "categories": ["SURVEY"]}, token=TOKEN)
    gone = asked(ours, "", name="Gone", provider_flow_id="1", status=FlowStatus.PUBLISHED)

    assert registry.sync(tenant_id=ours.tenant.pk, now=clock.now()) == []

    with ours.transaction():
        mirrored = Flow.objects.get(provider_flow_id=made["id"])
        assert (mirrored.name, mirrored.status, mirrored.categories) == ("Theirs", "DRAFT", ["SURVEY"])
        assert Flow.objects.get(pk=gone.pk).status == registry.GONE


def test_the_file_of_one_that_was_made_elsewhere_is_taken_over(ours, whatsapp, with_key):
    perform(asked(ours, FlowWish.PUBLISH))
    with ours.transaction():
        Flow.objects.all().delete()

    registry.sync(tenant_id=ours.tenant.pk, now=clock.now())

    with ours.transaction():
        mirrored = Flow.objects.get()
    assert mirrored.source == builtin.profile() and mirrored.form.uses_endpoint
    assert mirrored.status == FlowStatus.PUBLISHED


def test_one_that_was_made_again_under_its_name_is_the_same_to_us(ours, whatsapp):
    old = asked(ours, "", name="Theirs", provider_flow_id="1", status=FlowStatus.PUBLISHED)
    made = whatsapp.call("POST", f"/v25.0/{WABA}/flows", {"name": "Theirs", "categories": ["SURVEY"]}, token=TOKEN)

    registry.sync(tenant_id=ours.tenant.pk, now=clock.now())

    with ours.transaction():
        flow = Flow.objects.get()
    assert (flow.pk, flow.provider_flow_id, flow.status) == (old.pk, made["id"], "DRAFT")


def test_what_is_gone_there_can_be_deleted_here(ours, whatsapp):
    gone = asked(ours, FlowWish.DELETE, provider_flow_id="1", status=registry.GONE)

    assert perform(gone) is None


class TestWhatMetaSays:
    @pytest.fixture
    def flow(self, ours) -> Flow:
        return asked(ours, "", provider_flow_id="77", status=FlowStatus.PUBLISHED)

    def hear(self, event: str, *, at: int = 0, account_id: str = WABA, **value: Any) -> None:
        with system_transaction():
            told = NOON + timedelta(hours=at)
            notice = Notice("flows", account_id, "", {"event": event, "flow_id": "77", **value}, told)
            with connection.cursor() as cursor:
                merge_notices(cursor, [(notice, told)])

    def seen(self, company: Company, flow: Flow) -> tuple[str, list[tuple[str, str]]]:
        with company.transaction():
            alerts = Alert.objects.filter(resolved_at=None).values_list("kind", "severity")
            return Flow.objects.get(pk=flow.pk).status, list(alerts)

    def test_a_block_is_stored_and_alerted_until_it_is_over(self, ours, flow):
        self.hear("FLOW_STATUS_CHANGE", old_status="PUBLISHED", new_status="BLOCKED")
        assert self.seen(ours, flow) == ("BLOCKED", [("flow-held-back", "critical")])

        self.hear("FLOW_STATUS_CHANGE", at=1, old_status="BLOCKED", new_status="PUBLISHED")
        assert self.seen(ours, flow) == ("PUBLISHED", [])

    def test_a_throttle_is_alerted(self, ours, flow):
        self.hear("FLOW_STATUS_CHANGE", new_status="THROTTLED")

        assert self.seen(ours, flow) == ("THROTTLED", [("flow-held-back", "warning")])

    def test_an_older_notice_that_comes_late_changes_nothing(self, ours, flow):
        self.hear("FLOW_STATUS_CHANGE", at=2, new_status="PUBLISHED")
        self.hear("FLOW_STATUS_CHANGE", at=1, new_status="BLOCKED")

        assert self.seen(ours, flow) == ("PUBLISHED", [])

    def test_an_endpoint_that_is_slow_is_alerted_until_it_is_well(self, ours, flow):
        self.hear("ENDPOINT_LATENCY", alert_state="ACTIVATED", threshold="5", p90_latency=6100)
        assert self.seen(ours, flow)[1] == [("flow-endpoint-unwell", "warning")]

        self.hear("ENDPOINT_LATENCY", at=1, alert_state="DEACTIVATED", threshold="5", p90_latency=300)
        assert self.seen(ours, flow)[1] == []

    def test_another_accounts_notice_is_not_about_ours(self, ours, flow):
        self.hear("FLOW_STATUS_CHANGE", account_id="311111111111111", new_status="BLOCKED")

        assert self.seen(ours, flow) == ("PUBLISHED", [])
