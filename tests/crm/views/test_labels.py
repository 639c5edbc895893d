"""Labels of a contact, put on and taken off beside the conversation."""

from django.utils import timezone

from crm import contacts
from crm.models import Contact
from tests.crm.views.talk import FRAGMENT, conversation


def labels(company, talk) -> list[str]:
    with company.transaction():
        return Contact.objects.get(pk=talk.contact_id).labels


def test_a_label_is_put_on_once_and_taken_off(ana, ours, rosa):
    address = f"/conversations/{rosa.pk}/labels/"
    for words in ("  por   cobrar ", "Por Cobrar", "vip", ""):
        assert ana.post(address, {"add": words}, headers=FRAGMENT).status_code == 204
    assert labels(ours, rosa) == ["por cobrar", "vip"]
    assert "por cobrar" in ana.get(f"/inbox/{rosa.pk}/").content.decode()

    ana.post(address, {"remove": "por cobrar"}, headers=FRAGMENT)
    assert labels(ours, rosa) == ["vip"]


def test_without_javascript_it_goes_back_to_the_conversation(ana, rosa):
    assert ana.post(f"/conversations/{rosa.pk}/labels/", {"add": "vip"}).url == f"/inbox/{rosa.pk}/"


def test_one_that_is_too_long_is_refused_in_words(ana, ours, rosa):
    answer = ana.post(f"/conversations/{rosa.pk}/labels/", {"add": "x" * 61}, headers=FRAGMENT)
    assert "60" in answer.headers["HX-Trigger"]
    assert labels(ours, rosa) == []


def test_a_contact_has_no_more_than_fifty(ana, ours, rosa):
    with ours.transaction():
        contacts.change(rosa.contact, {"labels": [f"l{n}" for n in range(50)]}, now=timezone.now())
    ana.post(f"/conversations/{rosa.pk}/labels/", {"add": "una más"}, headers=FRAGMENT)
    assert len(labels(ours, rosa)) == 50


def test_those_in_use_are_offered_and_only_ours(ana, ours, theirs, rosa):
    for company, word in ((ours, "mayorista"), (theirs, "ajena")):
        with company.transaction():
            contacts.change(conversation(company).contact, {"labels": [word, "común"]}, now=timezone.now())
    page = ana.get("/labels/").content.decode()
    assert [page.count(word) for word in ("mayorista", "común", "ajena")] == [1, 1, 0]
