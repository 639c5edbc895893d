"""Tasks: one that names a company works for that one alone, and one that names none leaves none behind."""

import inspect
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app

from crm.models import Contact, Message
from tenants.context import NoTenant, current_scope, current_tenant_id
from tests.cast import Company
from whatsapp.models import Flow, FlowWish, Number

pytestmark = pytest.mark.django_db

TASKS = {name: task for name, task in current_app.tasks.items() if name.startswith(("crm.", "sequences.", "whatsapp."))}
OF_A_COMPANY = {
    "crm.bells.dispatch",
    "whatsapp.tasks.check_connection",
    "whatsapp.tasks.hand_over",
    "whatsapp.tasks.replay_number",
    "whatsapp.tasks.upload_flow_key",
}
OF_A_FLOW = {"whatsapp.tasks.perform_flow"}
OF_ONE_OR_ALL = {"whatsapp.tasks.sync_templates", "whatsapp.tasks.sync_flows"}
OF_ALL = set(TASKS) - OF_A_COMPANY - OF_A_FLOW - OF_ONE_OR_ALL


def parameters(task: Any) -> list[str]:
    return [name for name in inspect.signature(task.run).parameters if name not in ("hours", "seat")]


def test_every_task_is_known_by_what_it_takes():
    """Whoever adds a task says here whether it works for one company; one that takes anything else fails."""
    assert {name for name, task in TASKS.items() if parameters(task) == ["tenant_id", "number_id"]} == OF_A_COMPANY
    assert {name for name, task in TASKS.items() if parameters(task) == ["tenant_id"]} == OF_ONE_OR_ALL
    assert {name for name, task in TASKS.items() if parameters(task) == ["tenant_id", "flow_id"]} == OF_A_FLOW
    assert {name for name, task in TASKS.items() if not parameters(task)} == OF_ALL


@pytest.mark.parametrize("name", sorted(OF_A_COMPANY | OF_A_FLOW))
def test_without_its_company_it_refuses(name):
    with pytest.raises(TypeError):
        TASKS[name].run()


@pytest.mark.parametrize("name", sorted(OF_A_COMPANY))
@pytest.mark.parametrize("of", ["theirs", "nobody"])
def test_with_another_companys_number_it_changes_nothing(
    name, of, ours: Company, theirs: Company, keys: dict[str, Any]
):
    with theirs.transaction():
        Message.objects.filter(pk=keys["message"]).update(status="queued", direction="outbound")
        before = list(Message.objects.order_by("pk").values()), list(Number.objects.values())
    number = theirs.number.pk if of == "theirs" else uuid4()
    try:
        TASKS[name].run(str(ours.tenant.pk), str(number))
    except Number.DoesNotExist:
        assert name == "crm.bells.dispatch"
    with theirs.transaction():
        assert (list(Message.objects.order_by("pk").values()), list(Number.objects.values())) == before
    assert current_scope() is None


@pytest.mark.parametrize("name", sorted(OF_A_FLOW))
def test_with_another_companys_flow_it_changes_nothing(name, ours: Company, theirs: Company, keys: dict[str, Any]):
    with theirs.transaction():
        Flow.objects.get(pk=keys["flow"]).wants(FlowWish.DEPRECATE)
        before = list(Flow.objects.values())
    TASKS[name].run(str(ours.tenant.pk), str(keys["flow"]))
    with theirs.transaction():
        assert list(Flow.objects.values()) == before


@pytest.mark.parametrize("name", sorted(OF_ALL))
def test_one_that_looks_at_all_leaves_no_company_behind(name, keys: dict[str, Any]):
    TASKS[name].run()
    assert current_scope() is None
    with pytest.raises(NoTenant):
        current_tenant_id()
    for model in (Contact, Message):
        with pytest.raises(NoTenant):
            model.objects.count()
