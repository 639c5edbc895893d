"""The admin of two companies: each sees its own, the operator both, and nobody becomes more than they were made."""

import re

import pytest
from django.contrib import admin
from django.core import mail
from django.urls import reverse

from tenants.context import system_transaction
from tenants.models import Alert, Membership, Queue, Role, Tenant, User
from tenants.rotating import sealed_columns
from tests import back_office

pytestmark = pytest.mark.django_db

HIDDEN = "theirs"
SHOWN = ["tenant", "user", "membership", "queue", "alert", "number", "endpoint", "template", "webhookevent", "contact"]
SHOWN += ["conversation", "marketingwords"]
BY_HAND = {"distribution": "by_hand"}  # what the form of a queue asks for
WITHOUT_WORDS = {"budget", "rate"}  # figures only: tests/crm/test_admin.py looks at them


@pytest.fixture(autouse=True)
def _framed(settings):
    settings.UNFOLD = settings.UNFOLD | back_office.UNFOLD


@pytest.fixture
def our_rows(ours):
    return back_office.furnish(ours, "ours")


@pytest.fixture
def their_rows(theirs):
    return back_office.furnish(theirs, HIDDEN)


@pytest.fixture
def our_admin(ours, our_rows, their_rows):
    return back_office.sign_in(ours.admin.user)


@pytest.fixture
def operator(our_rows, their_rows):
    return back_office.sign_in(back_office.operator())


def model(name):
    return next(model for model in admin.site._registry if model._meta.model_name == name)


def page(name, kind="changelist", *args):
    return reverse(f"admin:{model(name)._meta.app_label}_{name}_{kind}", args=args)


def text(response) -> str:
    return response.content.decode()


def test_nothing_is_shown_that_this_file_does_not_look_at():
    ours = {
        model._meta.model_name
        for model in admin.site._registry
        if model._meta.app_label in ("tenants", "whatsapp", "crm")
    }

    assert ours == set(SHOWN) | WITHOUT_WORDS
    assert not {"group", "authenticator", "emailaddress"} & {m._meta.model_name for m in admin.site._registry}


def test_no_page_names_a_sealed_field(rf):
    """Django looks for a field before it looks for a method: a column called like a secret would show the secret."""
    request = rf.get("/admin/")
    request.user = User(is_superuser=True)
    sealed = {(column.table, column.name) for column in sealed_columns()}
    for shown, page in admin.site._registry.items():
        named = {*page.get_list_display(request), *page.get_readonly_fields(request), *(page.fields or ())}
        named |= {field for _title, part in page.fieldsets or () for field in part["fields"]}

        assert not {(shown._meta.db_table, name) for name in named if isinstance(name, str)} & sealed, shown


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("query", ["", "?q=heirs", "?q=ours"])
def test_a_list_shows_ones_own_company_alone(our_admin, name, query):
    response = our_admin.get(page(name) + query)

    if query and not admin.site._registry[model(name)].search_fields:
        return
    assert response.status_code == 200
    assert HIDDEN not in text(response)  # the search box repeats what was typed, which is not the whole word


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("kind", ["change", "history", "delete"])
def test_a_row_of_the_other_company_does_not_exist(our_admin, their_rows, name, kind):
    url = page(name, kind, their_rows[name].pk)

    for response in (our_admin.get(url), our_admin.post(url, {"post": "yes"})):
        assert response.status_code in (302, 403, 404)
        assert f"{HIDDEN} " not in text(response)
    assert HIDDEN not in re.sub(str(their_rows[name].pk), "", text(our_admin.get(page(name))))


@pytest.mark.parametrize("name", SHOWN)
def test_ones_own_row_is_shown_with_ones_own_choices(our_admin, our_rows, name):
    response = our_admin.get(page(name, "change", our_rows[name].pk))

    assert response.status_code == 200
    assert HIDDEN not in text(response)


@pytest.mark.parametrize("name", ["queue", "membership", "number", "endpoint"])
def test_the_choices_of_a_new_row_are_ones_own(our_admin, name):
    response = our_admin.get(page(name, "add"))

    assert response.status_code == 200
    assert HIDDEN not in text(response)


@pytest.mark.parametrize(
    ("app_label", "model_name", "field_name"),
    [
        ("whatsapp", "number", "queue"),
        ("whatsapp", "number", "endpoint"),
        ("crm", "conversation", "contact"),
        ("crm", "conversation", "number"),
        ("tenants", "membership", "user"),
        ("tenants", "queuemember", "membership"),
    ],
)
def test_autocomplete_offers_ones_own_alone(our_admin, app_label, model_name, field_name):
    asked = {"app_label": app_label, "model_name": model_name, "field_name": field_name}

    found = our_admin.get(reverse("admin:autocomplete"), asked)

    assert found.status_code in (200, 403)
    assert HIDDEN not in text(found)
    if found.status_code == 200:
        assert found.json()["results"]


def test_the_first_page_counts_ones_own_alone(our_admin, operator):
    assert HIDDEN not in text(our_admin.get(reverse("admin:index")))
    assert HIDDEN in text(operator.get(reverse("admin:index")))


@pytest.mark.parametrize("name", SHOWN)
def test_the_operator_sees_both(operator, our_rows, their_rows, name):
    assert operator.get(page(name)).status_code == 200
    assert "theirs" in text(operator.get(page(name))).lower()
    for rows in (our_rows, their_rows):
        response = operator.get(page(name, "change", rows[name].pk))
        assert response.status_code == 200, response.headers


def test_the_operators_choices_are_those_of_the_rows_company(operator, our_rows):
    shown = text(operator.get(page("number", "change", our_rows["number"].pk)))

    assert "ours queue" in shown and "theirs queue" not in shown


def test_the_operator_chooses_a_company_before_adding(operator, ours, theirs):
    assert f"?tenant={theirs.tenant.pk}" in text(operator.get(page("queue", "add")))

    response = operator.post(
        page("queue", "add") + f"?tenant={theirs.tenant.pk}", {"name": "Nueva", **BY_HAND, **no_rows("queue_members")}
    )

    assert response.status_code == 302
    with theirs.transaction():
        assert Queue.objects.filter(name="Nueva").exists()


def test_a_row_added_by_a_company_is_its_own_whatever_was_posted(our_admin, ours, theirs):
    our_admin.post(
        page("queue", "add") + f"?tenant={theirs.tenant.pk}",
        {"name": "Nueva", **BY_HAND, "tenant": str(theirs.tenant.pk), **no_rows("queue_members")},
    )

    with system_transaction():
        assert Queue.objects.get(name="Nueva").tenant_id == ours.tenant.pk


def test_a_second_queue_of_the_same_name_is_a_sentence_and_not_a_crash(our_admin, ours):
    response = our_admin.post(page("queue", "add"), {"name": "VENTAS", **BY_HAND, **no_rows("queue_members")})

    assert response.status_code == 200
    with ours.transaction():
        assert Queue.objects.filter(name__iexact="ventas").count() == 1


def test_a_member_of_the_other_company_cannot_be_smuggled_into_a_queue(our_admin, ours, theirs):
    rows = no_rows("queue_members") | {
        "queue_members-TOTAL_FORMS": "1",
        "queue_members-0-membership": str(theirs.ana.pk),
    }

    response = our_admin.post(page("queue", "change", ours.sales.pk), {"name": "Ventas", **BY_HAND, **rows})

    assert response.status_code == 200
    with system_transaction():
        assert not theirs.ana.queue_members.filter(queue=ours.sales).exists()


def no_rows(prefix):
    return {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}


def test_triage_cannot_be_deleted(our_admin, ours):
    assert our_admin.post(page("queue", "delete", ours.triage.pk), {"post": "yes"}).status_code == 403


def test_members_are_edited_in_the_queue(our_admin, ours):
    rows = no_rows("queue_members") | {
        "queue_members-TOTAL_FORMS": "1",
        "queue_members-0-membership": str(ours.supervisor.pk),
    }

    response = our_admin.post(page("queue", "change", ours.support.pk), {"name": "Soporte", **BY_HAND, **rows})

    assert response.status_code == 302
    with ours.transaction():
        assert ours.support.queue_members.filter(membership=ours.supervisor).exists()


# --- People ---------------------------------------------------------------------------------------------------------


def invite(client, **data):
    return client.post(page("membership", "add"), {"email": "nueva@ours.test", "name": "Nueva", "role": "agent"} | data)


def test_an_invited_person_joins_with_role_and_queues(our_admin, ours):
    response = invite(our_admin, email=" Nueva@Ours.TEST ", queues=[str(ours.sales.pk)])

    assert response.status_code == 302
    with ours.transaction():
        joined = Membership.objects.get(user__email="nueva@ours.test")
        assert (joined.role, [queue.pk for queue in joined.queues.all()]) == (Role.AGENT, [ours.sales.pk])
        assert not joined.user.is_staff and not joined.user.has_usable_password()


def test_a_person_of_the_other_company_can_be_invited_without_being_shown(our_admin, ours, theirs):
    assert invite(our_admin, email="ana@theirs.test", name="").status_code == 302

    with ours.transaction():
        assert Membership.objects.filter(user=theirs.ana.user, role=Role.AGENT).exists()


def test_who_belongs_already_is_not_invited_again(our_admin, ours):
    response = invite(our_admin, email="owner@ours.test")

    assert "belongs to the company already" in text(response)
    with ours.transaction():
        assert Membership.objects.get(pk=ours.owner.pk).role == Role.OWNER


def test_an_admin_makes_no_owners_and_an_owner_does(our_admin, ours):
    assert "Select a valid choice" in text(invite(our_admin, role="owner"))

    assert invite(back_office.sign_in(ours.owner.user), role="owner").status_code == 302


def change_membership(client, membership, **data):
    rows = no_rows("queue_members")
    return client.post(
        page("membership", "change", membership.pk), {"role": membership.role, "is_active": "on", **rows} | data
    )


def test_a_new_role_opens_and_closes_the_admin(our_admin, ours):
    assert change_membership(our_admin, ours.ana, role="admin").status_code == 302
    assert User.objects.get(pk=ours.ana.user_id).is_staff

    assert change_membership(our_admin, ours.ana, role="agent").status_code == 302
    assert not User.objects.get(pk=ours.ana.user_id).is_staff


def test_nobody_changes_their_own_place_and_an_admin_not_that_of_an_owner(our_admin, ours):
    assert change_membership(our_admin, ours.admin, role="agent").status_code == 403
    assert change_membership(our_admin, ours.owner, role="agent").status_code == 403


def test_a_company_keeps_an_owner(operator, ours):
    response = change_membership(operator, ours.owner, role="agent")

    assert "A company needs an owner" in text(response)
    with ours.transaction():
        assert Membership.objects.get(pk=ours.owner.pk).role == Role.OWNER


@pytest.mark.parametrize("person", ["admin", "ana"])
def test_an_admin_cannot_make_anybody_operator(our_admin, ours, person):
    user = getattr(ours, person).user

    response = our_admin.post(
        page("user", "change", user.pk), {"name": "x", "email": user.email, "is_active": "on", "is_superuser": "on"}
    )

    assert response.status_code == 403
    assert not User.objects.get(pk=user.pk).is_superuser
    assert our_admin.get(page("user", "add")).status_code == 403
    assert "is_superuser" not in text(our_admin.get(page("user", "change", user.pk)))


def test_an_agent_finds_no_admin_at_all(ours, our_rows):
    client = back_office.sign_in(ours.ana.user)

    assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(page("number")).status_code == 302


def test_an_admin_of_one_company_who_is_agent_in_another_administers_the_first_alone(
    ours, theirs, our_rows, their_rows
):
    with theirs.transaction():
        Membership.objects.create(tenant=theirs.tenant, user=ours.admin.user, role=Role.AGENT)
    client = back_office.sign_in(ours.admin.user)
    session = client.session
    session["tenant_id"] = str(theirs.tenant.pk)
    session.save()

    assert client.get(page("number")).status_code == 403
    assert client.get(page("membership")).status_code == 403


def test_the_operator_founds_a_company_with_its_triage(operator):
    response = operator.post(
        page("tenant", "add"),
        {
            "name": "Tercera",
            "slug": "tercera",
            "timezone": "America/Bogota",
            "locale": "es",
            "default_country": "co",
            "billing_currency": "cop",
        },
    )

    assert response.status_code == 302
    with system_transaction():
        tenant = Tenant.objects.get(slug="tercera")
        assert tenant.default_country == "CO"
        assert Queue.objects.get(tenant=tenant).is_triage


def test_a_company_renames_itself_and_keeps_its_short_name(our_admin, ours):
    data = {
        "name": "Nuestra",
        "slug": "theirs2",
        "timezone": "America/Lima",
        "locale": "es",
        "default_country": "PE",
        "billing_currency": "USD",
    }

    assert our_admin.post(page("tenant", "change", ours.tenant.pk), data).status_code == 302

    with ours.transaction():
        assert Tenant.objects.values_list("name", "slug").get() == ("Nuestra", "ours")
    assert our_admin.get(page("tenant", "add")).status_code == 403


def test_the_admin_has_no_door_of_its_own(client, ours):
    response = client.get(reverse("admin:login"))

    assert response.status_code == 302
    assert reverse("account_login") in response.url
    assert mail.outbox == []


# --- Alerts ---------------------------------------------------------------------------------------------------------


def test_alerts_are_marked_as_seen_by_name(our_admin, ours, our_rows):
    data = {"action": "acknowledge", "_selected_action": [str(our_rows["alert"].pk)]}

    assert our_admin.post(page("alert"), data).status_code == 302

    with ours.transaction():
        alert = Alert.objects.get()
        assert alert.acknowledged_by_id == ours.admin.user_id and alert.acknowledged_at


def test_alerts_of_the_other_company_cannot_be_marked(our_admin, theirs, their_rows):
    our_admin.post(page("alert"), {"action": "acknowledge", "_selected_action": [str(their_rows["alert"].pk)]})

    with theirs.transaction():
        assert Alert.objects.get().acknowledged_at is None
