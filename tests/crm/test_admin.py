"""Contacts and conversations in the admin: to be found and looked at."""

import pytest
from django.urls import reverse

from crm.models import Budget, Contact
from tests import back_office
from whatsapp.models import Rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def rows(ours, theirs):
    back_office.furnish(theirs, "theirs")
    return back_office.furnish(ours, "ours")


@pytest.fixture
def our_admin(ours, rows):
    return back_office.sign_in(ours.admin.user)


def text(response) -> str:
    return response.content.decode()


@pytest.mark.parametrize(
    ("words", "is_found"), [("OURS", True), ("555 001", True), ("nobody", False), ("theirs", False)]
)
def test_contacts_are_found_by_name_and_phone(our_admin, words, is_found):
    shown = text(our_admin.get(reverse("admin:crm_contact_changelist"), {"q": words}))

    assert ("ours contact" in shown) == is_found
    assert "theirs contact" not in shown


def test_our_own_name_for_a_contact_is_changed_and_nothing_that_whatsapp_says(our_admin, ours, rows):
    contact = rows["contact"]
    data = {
        "name": "Clienta Uno",
        "labels": "vip,lima",
        "timezone": "",
        "phone": "1",
        "username": "forged",
        "identities-TOTAL_FORMS": "0",
        "identities-INITIAL_FORMS": "0",
    }

    response = our_admin.post(reverse("admin:crm_contact_change", args=[contact.pk]), data)

    assert response.status_code == 302
    with ours.transaction():
        changed = Contact.objects.get()
        assert (changed.name, changed.labels) == ("Clienta Uno", ["vip", "lima"])
        assert (changed.phone, changed.username) == ("51900555001", "")


def test_contacts_are_neither_added_nor_deleted(our_admin, rows):
    assert our_admin.get(reverse("admin:crm_contact_add")).status_code == 403
    assert our_admin.get(reverse("admin:crm_contact_delete", args=[rows["contact"].pk])).status_code == 403


def test_a_conversation_is_for_looking_and_shows_nothing_that_was_said(our_admin, rows):
    url = reverse("admin:crm_conversation_change", args=[rows["conversation"].pk])

    shown = text(our_admin.get(url))

    assert "ours contact" in shown
    assert 'name="_save"' not in shown
    assert our_admin.post(url, {"status": "closed"}).status_code == 403


def test_a_long_list_asks_few_questions(our_admin, ours, rows, django_assert_max_num_queries):
    with ours.transaction():
        Contact.objects.bulk_create([Contact(tenant=ours.tenant, name=f"Contact {i}") for i in range(60)])

    with django_assert_max_num_queries(30):
        our_admin.get(reverse("admin:crm_contact_changelist"))


def budget(company, limit):
    with company.transaction():
        return Budget.objects.create(tenant=company.tenant, monthly_limit=limit)


def test_a_company_sets_its_own_budget_and_sees_no_other(our_admin, ours, theirs):
    foreign = budget(theirs, "987654.32")
    add = reverse("admin:crm_budget_add")
    assert (
        our_admin.post(add, {"monthly_limit": "600", "warning_percent": "80", "stops_automatic": "on"}).status_code
        == 302
    )
    shown = text(our_admin.get(reverse("admin:crm_budget_changelist")))
    assert "600" in shown and "987654" not in shown and "987.654" not in shown
    assert our_admin.get(add).status_code == 403, "one is enough"
    assert our_admin.get(reverse("admin:crm_budget_change", args=[foreign.pk])).status_code == 302
    with ours.transaction():
        own = Budget.objects.get()
    change = reverse("admin:crm_budget_change", args=[own.pk])
    assert our_admin.post(change, {"monthly_limit": "-1", "warning_percent": "101"}).status_code == 200
    with ours.transaction():
        assert Budget.objects.get().monthly_limit == 600


def test_an_agent_sees_no_budget(ours):
    budget(ours, "600")
    assert back_office.sign_in(ours.ana.user).get(reverse("admin:crm_budget_changelist")).status_code in (302, 403)


def test_a_second_budget_of_a_company_is_refused_in_words(ours):
    budget(ours, "600")
    operator = back_office.sign_in(back_office.operator())
    url = reverse("admin:crm_budget_add") + f"?tenant={ours.tenant.pk}"
    answer = operator.post(url, {"monthly_limit": "1", "warning_percent": "80"})
    assert answer.status_code == 200 and "has a budget already" in text(answer)


def test_companies_look_rates_up_and_only_the_operator_mends_them(our_admin):
    rate = Rate.objects.get(market="Peru", category="marketing")
    shown = text(our_admin.get(reverse("admin:whatsapp_rate_changelist"), {"q": "Peru"}))
    assert "Peru" in shown
    change = reverse("admin:whatsapp_rate_change", args=[rate.pk])
    data = {"market": "Peru", "category": "marketing", "currency": "USD", "valid_from": "2026-10-01", "amount": "9"}
    assert our_admin.post(change, data).status_code == 403
    assert back_office.sign_in(back_office.operator()).post(change, data).status_code == 302
    assert Rate.objects.get(pk=rate.pk).amount == 9
