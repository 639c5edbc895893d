"""The history of changes is sealed, and whoever touches it with the database alone is seen."""

import io
import threading
from collections import Counter
from contextlib import contextmanager
from random import Random

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection, connections

from crm import bells
from crm.models import Contact
from tenants.alerts import words_of
from tenants.audit import chain, forget, sealing, verifying, watching
from tenants.audit.sealing import seal
from tenants.audit.verifying import Kind, Verification, rows_without_entry
from tenants.context import system_transaction
from tenants.encryption import _cipher
from tenants.models import Alert, ChainEntry, ChainKey, Queue, SealingProgress
from tests.cast import Company, found_company

TABLES = ("tenants_queueevent", "tenants_membershipevent")
ROWS, MANY_ROWS = 400, 1500
"""Of each company in each of the tables."""


@pytest.fixture(autouse=True)
def nothing_remembered():
    cache.clear()
    yield
    cache.clear()


@contextmanager
def superuser():
    """Whoever has the database: no policy, no trigger and no missing right is in the way."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('role', 'none', true), set_config('session_replication_role', 'replica', true)"
        )
        yield cursor
        cursor.execute(
            "SELECT set_config('session_replication_role', 'origin', true), set_config('role', 'crm_app', true)"
        )


def grow(company: Company, rows: int, *, first: int = 1) -> None:
    """History of the last months, one row every quarter of an hour in each of two tables, by ids from `first` on."""
    moment = "now() - interval '1 day' - (%s - n) * interval '15 minutes'"
    with superuser() as cursor:
        for table in TABLES:  # what founding left bears the present, and comes after what is older
            cursor.execute(
                f"UPDATE {table} SET pgh_id = pgh_id + 1000000"
                " WHERE pgh_id < 5000 AND pgh_created_at > now() - interval '1 hour'"
            )
            cursor.execute("SELECT setval(%s, GREATEST(nextval(%s), 10000000))", [f"{table}_pgh_id_seq"] * 2)
        cursor.execute(
            "INSERT INTO tenants_queueevent (pgh_id, pgh_label, pgh_created_at, pgh_context, pgh_obj_id, tenant_id, id, name,"
            " is_triage, created_at)"
            f" SELECT %s + n, 'update', {moment}, jsonb_build_object('user', n), %s, %s, %s, 'Queue ' || n, false, now()"
            " FROM generate_series(1, %s) AS n",
            [first - 1, rows, company.sales.pk, company.tenant.pk, company.sales.pk, rows],
        )
        cursor.execute(
            "INSERT INTO tenants_membershipevent (pgh_id, pgh_label, pgh_created_at, pgh_obj_id, tenant_id, id, role, is_active,"
            " created_at, user_id)"
            f" SELECT %s + n, 'update', {moment}, %s, %s, %s, 'agent', true, now(), %s FROM generate_series(1, %s) AS n",
            [first - 1, rows, company.ana.pk, company.tenant.pk, company.ana.pk, company.ana.user_id, rows],
        )


@pytest.fixture
def grown(ours, theirs) -> Company:
    """Two companies with history, older rows first as they came; all of it is sealed."""
    return grown_to(ROWS, ours, theirs)


@pytest.fixture
def grown_long(ours, theirs) -> Company:
    """The same over several pages of the sealer."""
    return grown_to(MANY_ROWS, ours, theirs)


def grown_to(rows: int, ours: Company, theirs: Company) -> Company:
    grow(ours, rows)
    grow(theirs, rows, first=rows + 1)
    seal()
    return ours


def findings(company: Company | None = None, **known) -> list[verifying.Finding]:
    tenant_ids = [company.tenant.pk] if company else verifying.chains()
    found = [finding for tenant_id in tenant_ids for finding in Verification(tenant_id, **known)]
    return [*found, *rows_without_entry(company.tenant.pk if company else None)]


def kinds(company: Company | None = None, **known) -> Counter:
    return Counter(finding.kind for finding in findings(company, **known))


def count_history() -> int:
    with system_transaction(), connection.cursor() as cursor:
        tables = list(verifying.history_tables(cursor))
        cursor.execute("SELECT " + " + ".join(f"(SELECT count(*) FROM {name})" for name in tables))
        return cursor.fetchone()[0]


def count_entries() -> int:
    with system_transaction():
        return ChainEntry.objects.count()


# --- What nobody touched --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_untouched_history_passes_with_an_entry_for_each_row(grown):
    assert findings() == []
    assert count_entries() == count_history() > 4 * ROWS


@pytest.mark.django_db
def test_sealing_again_adds_only_what_is_new(grown):
    before = count_entries()
    assert seal() == 0

    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert seal() == 1
    assert (count_entries(), findings()) == (before + 1, [])


@pytest.mark.django_db
def test_what_is_settled_is_not_looked_at_again(grown):
    with system_transaction():
        progress = dict(SealingProgress.objects.values_list("table_name", "settled_id"))

    assert progress["tenants_queueevent"] == 2 * ROWS  # those of the last hours are


@pytest.mark.django_db
def test_what_waits_to_be_sealed_is_no_finding_until_it_has_waited_long(grown, monkeypatch):
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")
    assert findings() == []

    monkeypatch.setattr(verifying, "PATIENCE", verifying.PATIENCE * 0)
    assert kinds() == {Kind.UNSEALED: 1}


@pytest.mark.django_db
def test_a_column_added_later_changes_nothing(grown):
    with superuser() as cursor:
        cursor.execute("ALTER TABLE tenants_queueevent ADD COLUMN colour text DEFAULT 'red'")

    assert findings() == []
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")
    assert (seal(), findings()) == (1, [])

    with superuser() as cursor:  # the new column is covered from then on
        cursor.execute("UPDATE tenants_queueevent SET colour = 'blue'")
    assert kinds() == {Kind.CHANGED: 1}


@pytest.mark.django_db
def test_what_another_time_zone_or_setting_writes_is_the_same(grown):
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL TimeZone = 'America/Lima'; SET LOCAL extra_float_digits = 0; SET LOCAL bytea_output = 'escape'"
        )

    assert findings() == []


# --- What somebody touched --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_thousand_tamperings_are_a_thousand_found(grown_long):
    chance = Random(7)
    with system_transaction(), connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{each}', pgh_id FROM {each} WHERE pgh_id <= {2 * MANY_ROWS}" for each in TABLES
            )
        )
        touched = chance.sample(sorted(cursor.fetchall()), 1000)
    updated, deleted, swapped, copied = (touched[start::4] for start in range(4))
    expected = {(Kind.CHANGED, *row) for row in updated} | {(Kind.MISSING, *row) for row in deleted}

    with superuser() as cursor:
        for table in TABLES:
            ids = {
                name: [row_id for of, row_id in rows if of == table]
                for name, rows in (("updated", updated), ("deleted", deleted), ("swapped", swapped), ("copied", copied))
            }
            moved, alone = swap(cursor, table, ids["swapped"])
            update(cursor, table, ids["updated"] + alone)
            cursor.execute(f"DELETE FROM {table} WHERE pgh_id = ANY(%s)", [ids["deleted"]])
            expected |= {(Kind.CHANGED, table, row_id) for row_id in moved + alone}
            expected |= {(Kind.INVENTED, table, row_id) for row_id in copy(cursor, table, ids["copied"])}

    for _again in range(2):  # and sealing does not make it good
        found = findings()
        assert {(each.kind, each.table_name, each.event_id) for each in found} == expected
        assert len(found) == len(expected) == 1000
        assert seal() == 0


def update(cursor, table: str, ids: list[int]) -> None:
    """Any column: who did it, when, of what kind it was, what the row said."""
    said = "is_triage = NOT is_triage" if table == "tenants_queueevent" else "role = 'owner'"
    changes = (
        said,
        "pgh_context = '{\"user\": 0}'",
        "pgh_label = 'delete'",
        "pgh_created_at = pgh_created_at + interval '1 microsecond'",
    )
    for start, change in enumerate(changes):
        cursor.execute(f"UPDATE {table} SET {change} WHERE pgh_id = ANY(%s)", [ids[start :: len(changes)]])


def swap(cursor, table: str, ids: list[int]) -> tuple[list[int], list[int]]:
    """Two rows of one company each take the other's place; who had nobody to change with is the second answer."""
    pairs, alone = [], []
    for of_company in ([each for each in ids if each <= MANY_ROWS], [each for each in ids if each > MANY_ROWS]):
        half = len(of_company) // 2
        pairs += [*zip(of_company[:half], of_company[half : 2 * half], strict=True)]
        alone += of_company[2 * half :]
    first, second = map(list, zip(*pairs, strict=True))
    cursor.execute(
        f"UPDATE {table} SET pgh_id = -pair.other FROM unnest(%s::bigint[], %s::bigint[]) AS pair (one, other)"
        " WHERE pgh_id = pair.one",
        [first + second, second + first],
    )
    cursor.execute(f"UPDATE {table} SET pgh_id = -pgh_id WHERE pgh_id < 0")
    return first + second, alone


def copy(cursor, table: str, ids: list[int]) -> list[int]:
    """What never happened, at times that are long past."""
    cursor.execute(f"CREATE TEMP TABLE invented AS SELECT * FROM {table} WHERE pgh_id = ANY(%s)", [ids])
    cursor.execute("UPDATE invented SET pgh_id = pgh_id + 2000000")
    cursor.execute(f"INSERT INTO {table} SELECT * FROM invented RETURNING pgh_id")
    made = [row_id for (row_id,) in cursor.fetchall()]
    cursor.execute("DROP TABLE invented")
    return made


TAMPERINGS = {
    "an entry is changed": (
        "UPDATE tenants_chainentry SET sealed_at = sealed_at + interval '1 day' WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1},
    ),
    "an entry has another MAC": (
        "UPDATE tenants_chainentry SET mac = previous WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1, Kind.BROKEN: 1},
    ),
    "a row and its entry tell the same lie": (
        "UPDATE tenants_queueevent SET name = 'x' WHERE pgh_id = 300;"
        " UPDATE tenants_chainentry e SET digest = sha256(convert_to(to_jsonb(h)::text, 'UTF8')) FROM tenants_queueevent h"
        " WHERE h.pgh_id = 300 AND e.tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300",
        {Kind.FORGED: 1},
    ),
    "entries are gone with their rows": (
        "DELETE FROM tenants_queueevent h USING tenants_chainentry e WHERE e.tenant_id = %(tenant)s"
        " AND table_name = 'tenants_queueevent' AND event_id = pgh_id AND event_id BETWEEN 300 AND 310;"
        " DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent'"
        " AND event_id BETWEEN 300 AND 310",
        {Kind.REMOVED: 1},
    ),
    "two entries change places": (
        "UPDATE tenants_chainentry SET seq = CASE seq WHEN 300 THEN -380 ELSE -300 END"
        " WHERE tenant_id = %(tenant)s AND seq IN (300, 380);"
        " UPDATE tenants_chainentry SET seq = -seq WHERE tenant_id = %(tenant)s AND seq < 0",
        {Kind.REORDERED: 2, Kind.BROKEN: 4},
    ),
    "entries are renumbered over a gap": (
        "DELETE FROM tenants_queueevent WHERE pgh_id = 300;"
        " DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300;"
        " UPDATE tenants_chainentry e SET seq = -place.seq FROM (SELECT seq AS old, row_number() OVER (ORDER BY seq) AS seq"
        " FROM tenants_chainentry WHERE tenant_id = %(tenant)s) AS place WHERE tenant_id = %(tenant)s AND e.seq = place.old;"
        " UPDATE tenants_chainentry SET seq = -seq WHERE tenant_id = %(tenant)s",
        None,
    ),
    "the beginning is gone": (
        "DELETE FROM tenants_chainentry WHERE tenant_id = %(tenant)s AND seq = 1",
        None,
    ),
    "an invented row has an invented entry before the first": (
        "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, '{\"pgh_id\": 5000000}')).* FROM tenants_queueevent h"
        " WHERE pgh_id = 300;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, jsonb_build_object('seq', -5, 'event_id', 5000000,"
        " 'digest', (SELECT sha256(convert_to(to_jsonb(h)::text, 'UTF8')) FROM tenants_queueevent h WHERE pgh_id = 5000000)))).*"
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND table_name = 'tenants_queueevent' AND event_id = 300",
        {Kind.FORGED: 1},
    ),
    "an invented entry shares the place of another": (
        "ALTER TABLE tenants_chainentry DROP CONSTRAINT tenants_chainentry_pkey;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, '{\"event_id\": 5000000}')).*"
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND seq = 300",
        None,
    ),
    "an invented entry has no place": (
        "ALTER TABLE tenants_chainentry DROP CONSTRAINT tenants_chainentry_pkey;"
        " ALTER TABLE tenants_chainentry ALTER COLUMN seq DROP NOT NULL;"
        ' INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, \'{"seq": null, "event_id": 5000000}\')).*'
        " FROM tenants_chainentry e WHERE tenant_id = %(tenant)s AND seq = 300",
        {Kind.FORGED: 1},
    ),
    "an entry is put at the end": (
        "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, '{\"pgh_id\": 5000000}')).* FROM tenants_queueevent h"
        " WHERE pgh_id = 300;"
        " INSERT INTO tenants_chainentry SELECT (jsonb_populate_record(e, jsonb_build_object('event_id', 5000000, 'previous', mac,"
        " 'seq', seq + 1))).* FROM tenants_chainentry e WHERE tenant_id = %(tenant)s ORDER BY seq DESC LIMIT 1",
        {Kind.FORGED: 1, Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "the key is another company's": (
        "UPDATE tenants_chainkey a SET key = b.key FROM tenants_chainkey b WHERE a.tenant_id = %(tenant)s"
        " AND b.tenant_id <> %(tenant)s",
        None,
    ),
    "an erasure is invented": (
        "DELETE FROM tenants_queueevent WHERE pgh_id = 300; INSERT INTO tenants_forgottenevent (tenant_id, table_name,"
        " event_id, erasure) VALUES (%(tenant)s, 'tenants_queueevent', 300, 'erasure 1')",
        {Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "history is forgotten by a call that nobody sealed": (
        "SELECT set_config('session_replication_role', 'origin', true), set_config('app.tenant_id', %(tenant)s::text, true);"
        " SELECT forget_history(%(tenant)s, jsonb_build_object('tenants_membershipevent', (SELECT jsonb_agg(DISTINCT id)"
        " FROM tenants_membershipevent WHERE tenant_id = %(tenant)s AND pgh_id = (SELECT max(pgh_id)"
        " FROM tenants_membershipevent WHERE tenant_id = %(tenant)s))), 'x')",
        {Kind.MISSING: 1, Kind.INVENTED: 1},
    ),
    "a covered column is gone": (
        "ALTER TABLE tenants_queueevent DROP COLUMN name",
        None,
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", TAMPERINGS)
def test_the_chain_cannot_be_bent_either(name, grown, theirs):
    sql, expected = TAMPERINGS[name]
    with superuser() as cursor:
        cursor.execute(sql, {"tenant": grown.tenant.pk})
    seal()

    found = kinds(grown)

    assert found == expected if expected is not None else found.total() > 0
    if name != "a covered column is gone":
        assert findings(theirs) == []


@pytest.mark.django_db
def test_a_row_invented_in_the_present_is_sealed_as_it_could_have_been_written(grown):
    """What the chain cannot show: whoever has the database can also change the row itself, which writes history."""
    with superuser() as cursor:
        cursor.execute(
            "INSERT INTO tenants_queueevent SELECT (jsonb_populate_record(h, jsonb_build_object('pgh_id', 5000000,"
            " 'pgh_created_at', now()))).* FROM tenants_queueevent h WHERE pgh_id = 300"
        )

    assert (seal(), findings()) == (1, [])


# --- Heads that are kept elsewhere ------------------------------------------------------------------------------------


def cut(company: Company, *, keep: int) -> None:
    with superuser() as cursor:
        for table in TABLES:
            cursor.execute(
                f"DELETE FROM {table} h USING tenants_chainentry e WHERE e.tenant_id = %s AND h.tenant_id = %s"
                f" AND e.table_name = '{table}' AND e.event_id = h.pgh_id AND e.seq > %s",
                [company.tenant.pk, company.tenant.pk, keep],
            )
        cursor.execute("DELETE FROM tenants_chainentry WHERE tenant_id = %s AND seq > %s", [company.tenant.pk, keep])


def head_of(company: Company) -> chain.Head:
    with system_transaction(), connection.cursor() as cursor:
        return chain.heads(cursor, [company.tenant.pk])[company.tenant.pk]


@pytest.mark.django_db
def test_a_cut_tail_is_seen_by_who_knows_the_head(grown):
    head = head_of(grown)

    cut(grown, keep=head.seq - 3)

    assert kinds(grown, known=head)[Kind.CUT] == 1


@pytest.mark.django_db
def test_a_tail_that_grew_again_is_not_the_one_that_was_kept(grown):
    head = head_of(grown)
    cut(grown, keep=head.seq - 3)
    for name in "abcde":
        with grown.transaction():
            Queue.objects.filter(pk=grown.sales.pk).update(name=name)
    seal()
    assert head_of(grown).seq >= head.seq

    assert kinds(grown, known=head)[Kind.REPLACED] == 1


@pytest.mark.django_db
def test_the_daily_look_remembers_heads_and_alerts_the_operator(grown, theirs, caplog):
    assert bells.verify_history() == 0
    caplog.set_level("INFO")
    head = head_of(grown)

    cut(grown, keep=head.seq - 3)
    assert bells.verify_history() > 0

    with system_transaction():
        alert = Alert.objects.get(kind=watching.TAMPERED)
        assert (alert.tenant_id, alert.subject, alert.severity) == (None, str(grown.tenant.pk), "critical")
        assert "verify_audit" in words_of(alert).advice
        assert words_of(alert).about == "Ours"
    heads = {record.tenant_id: record.mac for record in caplog.records if record.msg == "head of history"}
    assert heads[str(theirs.tenant.pk)] == head_of(theirs).mac.hex()

    call_command("verify_audit", "--accept", stdout=io.StringIO())  # a backup was restored: so be it
    assert bells.verify_history() == 0
    with system_transaction():
        assert not Alert.objects.filter(kind=watching.TAMPERED, resolved_at=None).exists()


# --- Keys ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def new_key(settings, grown):
    number = max(settings.ENCRYPTION_KEYS) + 1
    settings.ENCRYPTION_KEYS = {number: bytes(range(32)), **settings.ENCRYPTION_KEYS}
    yield number
    _cipher.cache_clear()


@pytest.mark.django_db
def test_after_the_keys_were_rotated_and_the_old_one_is_gone_all_is_verified(settings, grown, new_key):
    call_command("rotate_keys", stdout=io.StringIO())
    settings.ENCRYPTION_KEYS = {new_key: settings.ENCRYPTION_KEYS[new_key]}
    _cipher.cache_clear()
    assert findings() == []

    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert (seal(), findings()) == (1, [])
    with grown.transaction():
        assert list(ChainKey.objects.order_by("number").values_list("number", "master")) == [
            (1, new_key - 1),
            (2, new_key),
        ]
        assert ChainEntry.objects.latest("seq").key_number == 2


@pytest.mark.django_db
def test_a_key_that_cannot_be_opened_is_told_and_sealing_goes_on(settings, grown):
    with superuser() as cursor:
        cursor.execute("UPDATE tenants_chainkey SET key = '\\x00' WHERE tenant_id = %s", [grown.tenant.pk])
    with grown.transaction():
        Queue.objects.filter(pk=grown.sales.pk).update(name="Sales")

    assert seal() == 1
    assert kinds(grown).keys() == {Kind.UNREADABLE}


# --- Erasure ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def erased(grown) -> Contact:
    """A contact whose history was sealed, but for its last row, and then forgotten."""
    with grown.transaction():
        contact = Contact.objects.create(tenant=grown.tenant, name="Rosa")
        Contact.objects.filter(pk=contact.pk).update(name="Rosa Quispe")
    seal()
    with grown.transaction():
        Contact.objects.filter(pk=contact.pk)._raw_delete("default")
        forget(tenant_id=grown.tenant.pk, objects={Contact: [contact.pk]}, erasure="erasure 17")
    return contact


@pytest.mark.django_db
def test_what_an_erasure_removed_is_not_missing(grown, erased):
    assert (seal(), findings()) == (0, [])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE tenants_forgottenevent SET erasure = 'erasure 18'", {Kind.CHANGED: 2}),
        ("DELETE FROM tenants_forgottenevent", {Kind.MISSING: 3}),
        ("UPDATE tenants_forgottenevent SET table_name = 'tenants_queueevent', event_id = 300 + (SELECT count(*) FROM tenants_forgottenevent o WHERE o.id < tenants_forgottenevent.id)",
         {Kind.CHANGED: 2, Kind.MISSING: 1, Kind.RETURNED: 2}),
    ],
)  # fmt: skip
def test_an_erasure_cannot_be_made_to_say_something_else(grown, erased, sql, expected):
    with superuser() as cursor:
        cursor.execute(sql)

    assert kinds() == expected


# --- Two at once, and a crash between -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_sealer_that_dies_between_leaves_whole_pages_and_the_next_goes_on(ours, monkeypatch):
    grow(ours, 50)
    monkeypatch.setattr(sealing, "PAGE", 20)
    append = chain.append
    calls = []

    def die_at_the_third(cursor, rows):
        made = append(cursor, rows)
        calls.append(made)
        if len([each for each in calls if each]) == 3:
            raise SystemExit
        return made

    monkeypatch.setattr(chain, "append", die_at_the_third)
    with pytest.raises(SystemExit):
        seal()
    assert count_entries() == sum(calls) - calls[-1] > 0
    monkeypatch.setattr(chain, "append", append)

    seal()

    assert findings() == []
    assert count_entries() == count_history()


def test_two_sealers_at_once_make_one_chain(committed, monkeypatch):
    ours = found_company("ours", number_id="100000000000001")
    found_company("theirs", number_id="200000000000001")
    for n in range(60):
        with ours.transaction():
            Queue.objects.filter(pk=ours.sales.pk).update(name=f"Sales {n}")
    monkeypatch.setattr(sealing, "PAGE", 7)
    together = threading.Barrier(4)
    made, errors = [], []

    def work() -> None:
        try:
            together.wait()
            made.append(seal())
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    made.append(seal())

    assert errors == []
    assert sum(made) == count_entries() == count_history()
    assert findings() == []


def test_who_forgets_has_the_chain_alone(committed):
    """An erasure is under way: its company's rows wait for the next time, the others' do not."""
    ours, theirs = (
        found_company("ours", number_id="100000000000001"),
        found_company("theirs", number_id="200000000000001"),
    )
    made = []
    with ours.transaction():
        forget(tenant_id=ours.tenant.pk, objects={Queue: [ours.sales.pk]}, erasure="1")
        sealer = threading.Thread(target=lambda: (made.append(seal()), connections.close_all()))
        sealer.start()
        sealer.join()

    with ours.transaction():
        assert ChainEntry.objects.count() == 1
    with theirs.transaction():
        assert ChainEntry.objects.count() == made[0] > 0
    seal()
    assert findings() == []


# --- The command --------------------------------------------------------------------------------------------------------


def verify_audit(*arguments: str) -> tuple[str, bool]:
    out = io.StringIO()
    try:
        call_command("verify_audit", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", False
    return out.getvalue(), True


@pytest.mark.django_db
def test_the_command_names_what_was_touched_and_prints_heads(grown, theirs):
    printed, is_well = verify_audit()
    assert is_well
    for company in (grown, theirs):
        head = head_of(company)
        assert f"head {company.tenant.pk} {head.seq} {head.mac.hex()}\n" in printed

    with superuser() as cursor:
        cursor.execute("UPDATE tenants_queueevent SET name = 'x' WHERE pgh_id = 300")

    printed, is_well = verify_audit()
    assert (is_well, f"changed: {grown.tenant.pk} entry" in printed, "tenants_queueevent 300: the row is" in printed) == (
        False, True, True,
    )  # fmt: skip
    assert "1 findings" in printed
    assert verify_audit("--tenant", "theirs")[1]
    assert not verify_audit("--tenant", str(grown.tenant.pk))[1]


@pytest.mark.django_db
def test_the_command_compares_with_heads_that_were_kept(grown, tmp_path):
    kept = tmp_path / "heads"
    kept.write_text(verify_audit()[0])
    cut(grown, keep=100)

    assert "cut:" in verify_audit("--heads", str(kept))[0]


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [("--tenant", "nobody"), ("--heads", "/nowhere"), ("--heads", __file__)])
def test_the_command_says_what_it_cannot_use(grown, arguments, tmp_path):
    if arguments[1] == __file__:
        (broken := tmp_path / "heads").write_text("head of nothing\n")
        arguments = ("--heads", str(broken))
    assert not verify_audit(*arguments)[1]
