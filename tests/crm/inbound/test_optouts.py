"""STOP and what takes it back: a message that is such a word alone, whatever its order of arrival."""

from datetime import UTC, datetime
from itertools import permutations

import pytest

from crm import inbound
from crm.models import Activity, Contact, MarketingWords
from tests import meta

pytestmark = pytest.mark.django_db


def write(*texts: str, first: int = 0) -> None:
    for place, text in enumerate(texts, first):
        meta.store(meta.body(meta.messages(meta.text(text, wamid=f"w{place}", at=meta.NOON + 60 * place))))
    inbound.drain()


def state(company) -> tuple[bool, str, bool]:
    with company.transaction():
        contact = Contact.objects.get()
        return contact.marketing_stopped, contact.marketing_source, contact.marketing_consent_at is not None


@pytest.mark.parametrize("text", ["STOP", "stop", " Stop. ", "BAJA", "baja!", "Salir", "cancelar suscripcion",
                                  "CANCELAR  SUSCRIPCIÓN", "parar", "SAIR", "¡Baja!", "🛑 STOP 🛑"])  # fmt: skip
def test_a_word_alone_stops_our_marketing_at_once(ours, text):
    write("Hola", text)

    assert state(ours) == (True, "word", False)
    with ours.transaction():
        line = Activity.objects.get()
        assert (line.kind, line.facts["word"]) == ("opted_out", text.strip())
        assert line.at == datetime.fromtimestamp(meta.NOON + 60, UTC)


@pytest.mark.parametrize(
    "text", ["no quiero parar", "STOP por favor", "baja el precio", "¿me das de baja?", "stopp", "0", "...", "s t o p"]
)
def test_within_a_sentence_it_is_an_ordinary_word(ours, text):
    write(text)

    assert state(ours) == (False, "", False)
    with ours.transaction():
        assert not Activity.objects.exists()


@pytest.mark.parametrize("text", ["START", "alta", "Voltar"])
def test_they_take_up_again_what_they_stopped(ours, text):
    write("STOP", text)

    assert state(ours) == (False, "word", True)
    with ours.transaction():
        assert list(Activity.objects.order_by("at").values_list("kind", flat=True)) == ["opted_out", "opted_in"]


def test_an_answer_of_somebody_who_stopped_nothing_is_no_consent(ours):
    write("alta")

    assert state(ours) == (False, "", False)
    with ours.transaction():
        assert not Activity.objects.exists()


def test_what_one_of_us_stopped_they_do_not_resume_by_a_word(ours):
    write("Hola")
    with ours.transaction():
        Contact.objects.update(marketing_stopped=True, marketing_source="person")

    write("START", first=5)

    assert state(ours) == (True, "person", False)


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(("texts", "stopped"), [(("STOP", "START", "STOP"), True), (("START", "STOP", "START"), False)])
def test_the_newest_wish_counts_in_whatever_order_it_arrives(ours, order, texts, stopped):
    for place in order:
        write(texts[place], first=place)

    assert state(ours)[0] is stopped


def test_a_replay_says_nothing_twice(ours):
    write("STOP", "STOP")
    write("STOP", "STOP")

    with ours.transaction():
        assert Activity.objects.count() == 1


def test_a_company_chooses_its_own_words(ours, theirs):
    with ours.transaction():
        MarketingWords.objects.create(tenant=ours.tenant, stop=["No más"], resume=["Sí, otra vez"])
    with theirs.transaction():
        MarketingWords.objects.create(tenant=theirs.tenant, stop=["hola"], resume=[])

    write("STOP", "hola")
    assert state(ours)[0] is False
    write("NO MAS", first=5)
    assert state(ours)[0] is True
    write("si, otra vez", first=6)
    assert state(ours)[0] is False


def test_what_we_write_ourselves_stops_nothing(ours):
    echo = {"from": "5115550101", "to": "51900555014", "id": "e1", "timestamp": str(meta.NOON), "type": "text",
            "text": {"body": "STOP"}}  # fmt: skip
    meta.store(meta.body(meta.value(message_echoes=[echo]), field="smb_message_echoes"))
    inbound.drain()

    assert state(ours) == (False, "", False)
