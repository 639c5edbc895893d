"""Which contact a person is: by user id first, then by phone with its national variants, else somebody new.

A person is one *group* of identities seen together. Two workers may meet the same new person at once: both try to
insert the identities, in one order for all; the unique key lets one win, and the other takes the winner's contact.
Whoever was there already is locked before anything is written about them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from crm import tombstones
from crm.models import IdentityKind
from whatsapp import phones
from whatsapp.events import ContactNamed, Person

Key = tuple[UUID, str, str]
"""(tenant, kind, canonical value)."""

# Evidence in this order: a user id is one person for certain, a phone can change hands.
_ORDER = {IdentityKind.BSUID.value: 0, IdentityKind.PARENT_BSUID.value: 1, IdentityKind.PHONE.value: 2}


@dataclass(slots=True)
class _Group:
    """Identities that belong to one person, and the newest thing said about that person."""

    tenant_id: UUID
    keys: dict[Key, str] = field(default_factory=dict)  # key → the address as written
    profile_name: str = ""
    username: str = ""
    phone: str = ""
    at: datetime | None = None
    contact_id: UUID | None = None
    is_new: bool = False

    def learn(self, person: Person, at: datetime) -> None:
        if person.phone and not self.phone:
            self.phone = person.phone
        told = person.profile_name or person.username
        # The same moment told twice differently must come out the same in any order.
        if told and (self.at is None or (at, person.profile_name or "") > (self.at, self.profile_name)):
            self.at = at
            self.profile_name = (person.profile_name or self.profile_name)[:200]
            self.username = (person.username or self.username)[:64]


@dataclass(slots=True)
class Change:
    """Somebody who was `previous` and is `person` since `at`; `contact_id` is who that is, once `resolve` has found them."""

    tenant_id: UUID
    previous: Person
    person: Person
    at: datetime
    contact_id: UUID | None = None

    @property
    def keys(self) -> list[Key]:
        return [*keys_of(self.tenant_id, self.previous), *keys_of(self.tenant_id, self.person)]


def keys_of(tenant_id: UUID, person: Person) -> dict[Key, str]:
    """The identities a person shows, strongest first, each with the address as it was written."""
    keys = {}
    if person.bsuid:
        keys[tenant_id, IdentityKind.BSUID.value, person.bsuid[:200]] = person.bsuid[:200]
    if person.parent_bsuid:
        keys[tenant_id, IdentityKind.PARENT_BSUID.value, person.parent_bsuid[:200]] = person.parent_bsuid[:200]
    if person.phone:
        keys[tenant_id, IdentityKind.PHONE.value, phones.canonical(person.phone)[:200]] = person.phone[:20]
    return keys


# One by one through the key, whatever the statistics say: of a company whose first list has just come they know of nobody,
# and a join then compares everybody asked for with everybody there is (20,000 new phones: 111 of 121 s).
_FIND = """
SELECT wanted.tenant_id, wanted.kind, wanted.value, found.id, found.profile_name, found.username, found.phone, found.profile_at
FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS wanted (tenant_id, kind, value),
LATERAL (
    SELECT i.contact_id FROM crm_identity i
    WHERE i.tenant_id = wanted.tenant_id AND i.kind = wanted.kind AND i.value = wanted.value LIMIT 1
) AS identity,
LATERAL (
    SELECT c.id, c.profile_name, c.username, c.phone, c.profile_at FROM crm_contact c
    WHERE c.id = identity.contact_id LIMIT 1
) AS found
"""
# Sorted, so that two workers wait for each other in one direction only. The contact follows in the same transaction.
_CLAIM = """
INSERT INTO crm_identity (id, tenant_id, contact_id, kind, value, address)
SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[])
ON CONFLICT (tenant_id, kind, value) DO NOTHING
RETURNING tenant_id, kind, value
"""
_FOLLOW = "UPDATE crm_identity SET contact_id = %s WHERE contact_id = %s"
_CREATE = """
INSERT INTO crm_contact (id, tenant_id, name, profile_name, username, phone, labels, attributes, timezone,
                         marketing_stopped, profile_at)
SELECT c.id, c.tenant_id, '', c.profile_name, c.username, c.phone, '{}', '{}', '', false, c.profile_at
FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
     AS c (id, tenant_id, profile_name, username, phone, profile_at)
"""
# By id and all at once. A conversation and its messages are one person's: merges that have nobody in common have nothing
# in common, and of two that have somebody, one waits here until the other is through.
_HOLD = "SELECT FROM crm_contact WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
# Another worker may have told something newer while we waited for the row.
_LEARN = """
UPDATE crm_contact c
SET profile_name = CASE WHEN c.profile_at >= n.profile_at THEN c.profile_name
                        ELSE COALESCE(NULLIF(n.profile_name, ''), c.profile_name) END,
    username = CASE WHEN c.profile_at >= n.profile_at THEN c.username
                    ELSE COALESCE(NULLIF(n.username, ''), c.username) END,
    phone = CASE WHEN c.phone = '' THEN n.phone ELSE c.phone END,
    profile_at = GREATEST(c.profile_at, n.profile_at)
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
     AS n (id, profile_name, username, phone, profile_at)
WHERE c.id = n.id
"""


def hold(cursor: Any, contact_ids: Iterable[UUID]) -> None:
    """Lock these contacts until the transaction ends, as `resolve` does with those it finds."""
    if ids := sorted(set(contact_ids)):
        cursor.execute(_HOLD, [ids])


def resolve(
    cursor: Any,
    seen: Iterable[tuple[UUID, Person, datetime]],
    *,
    changes: Sequence[Change] = (),
    also: Iterable[UUID] = (),
) -> dict[Key, UUID]:
    """Find or create the contact of every person, as identity → contact. People without any identity are left out.

    `changes`, in the order in which they happened, come before what is seen: each is told its contact, which has the new
    identities too, unless they are somebody's already. All of them are locked afterwards, and `also` these contacts:
    every identity is claimed in one order, and then there is one lock for everybody about whom something is written.
    """
    groups = _grouped(seen)
    known = _find(
        cursor, [*(key for group in groups for key in group.keys), *(key for each in changes for key in each.keys)]
    )
    owners = {key: owner for key, (owner, *_facts) in known.items()}
    changed = [group for each in changes if (group := _changed(each, owners))]
    for group in groups:
        owner = _owner_among(group.keys, owners)
        group.contact_id, group.is_new = owner or uuid7(), owner is None
    _claim_missing(cursor, [*changed, *groups], known)
    fresh = [group for group in (*changed, *groups) if group.is_new]
    _create(cursor, fresh)
    tombstones.give_back_wishes(cursor, {group.contact_id: group.keys for group in fresh if group.contact_id})
    there = [group for group in (*changed, *groups) if not group.is_new]
    hold(cursor, {*also, *(group.contact_id for group in there if group.contact_id)})
    for some in (changed, groups):  # one may be in both
        _learn(cursor, [group for group in some if not group.is_new], known)
    for change, group in zip((each for each in changes if each.keys), changed, strict=True):
        change.contact_id = group.contact_id
    owners = {key: owner for key, (owner, *_facts) in known.items()}
    for group in changed:
        for key in group.keys:
            owners.setdefault(key, _there(group))
    for group in groups:
        # A phone that is another contact's stays theirs; this person is found by the stronger identity.
        for key in group.keys:
            owners[key] = _there(group)
    return owners


def _changed(change: Change, owners: dict[Key, UUID]) -> _Group | None:
    """What a change adds to a contact; `owners` know of it from then on.

    The contact is who had an old identity. Of somebody whose first messages come later, or in this very batch, old and new
    ones are one contact from now on: who has a new one already, else somebody new.
    """
    if not change.keys:
        return None
    old, new = keys_of(change.tenant_id, change.previous), keys_of(change.tenant_id, change.person)
    group = _Group(change.tenant_id, new)
    group.contact_id = next((owners[key] for key in old if key in owners), None)
    if group.contact_id is None:
        group.keys = old | new
        group.learn(change.person, change.at)
        group.contact_id = _owner_among(group.keys, owners)
        group.is_new = group.contact_id is None
        group.contact_id = group.contact_id or uuid7()
    for key in group.keys:
        owners.setdefault(key, group.contact_id)
    return group


def _owner_among(keys: Iterable[Key], owners: Mapping[Key, UUID]) -> UUID | None:
    """Whose the strongest of these identities is that is somebody's."""
    return next((owners[key] for key in sorted(keys, key=lambda key: _ORDER[key[1]]) if key in owners), None)


def _there(group: _Group) -> UUID:
    assert group.contact_id is not None
    return group.contact_id


_NAME = """
UPDATE crm_contact c SET name = n.name FROM unnest(%s::uuid[], %s::text[]) AS n (id, name)
WHERE c.id = n.id AND c.name = ''
"""


def newest_names(events: Iterable[tuple[UUID, ContactNamed]]) -> list[tuple[UUID, ContactNamed]]:
    """Of what a phone's address book says of each person, the last."""
    newest = {(tenant_id, event.person): event for tenant_id, event in sorted(events, key=lambda pair: pair[1].at)}
    return [(tenant_id, event) for (tenant_id, _person), event in newest.items()]


def merge_names(cursor: Any, events: list[tuple[UUID, ContactNamed]], owners: Mapping[Key, UUID]) -> None:
    """Take in a phone's address book: its people (of `owners`) get its names where our people have written none."""
    names = {contact_of(owners, tenant_id, event.person): event.name for tenant_id, event in events}
    if ids := sorted(filter(None, names)):
        cursor.execute(_NAME, [ids, [names[id][:200] for id in ids]])


def owners_of(cursor: Any, keys: list[Key]) -> dict[Key, UUID]:
    """Who has these identities, as far as somebody has; nothing is made."""
    return {key: owner for key, (owner, *_facts) in _find(cursor, keys).items()}


def contact_of(owners: Mapping[Key, UUID], tenant_id: UUID, person: Person) -> UUID | None:
    """The contact that `resolve` found for this person."""
    return next((owners[key] for key in keys_of(tenant_id, person) if key in owners), None)


def _grouped(seen: Iterable[tuple[UUID, Person, datetime]]) -> list[_Group]:
    """Join what shares an identity, so that a message with both ids connects those with one."""
    by_key: dict[Key, _Group] = {}
    for tenant_id, person, at in seen:
        keys = keys_of(tenant_id, person)
        if not keys:
            continue
        joined = list({id(by_key[key]): by_key[key] for key in keys if key in by_key}.values())
        group = joined[0] if joined else _Group(tenant_id)
        for other in joined[1:]:
            group.keys |= other.keys
            group.learn(
                Person(profile_name=other.profile_name, username=other.username, phone=other.phone), other.at or at
            )
        group.keys |= keys
        group.learn(person, at)
        for key in group.keys:
            by_key[key] = group
    return list({id(group): group for group in by_key.values()}.values())


def _find(cursor: Any, keys: list[Key]) -> dict[Key, tuple[UUID, str, str, str, datetime | None]]:
    if not keys:
        return {}
    cursor.execute(_FIND, [[key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys]])
    return {(tenant, kind, value): tuple(facts) for tenant, kind, value, *facts in cursor.fetchall()}  # type: ignore[misc]


def _claim_missing(cursor: Any, groups: list[_Group], known: dict[Key, Any]) -> None:
    missing: dict[Key, tuple[str, UUID]] = {}
    for group in groups:
        for key, address in group.keys.items():
            if key not in known:
                missing.setdefault(key, (address, _there(group)))
    if not missing:
        return
    keys = sorted(missing)
    cursor.execute(
        _CLAIM,
        [
            [uuid7() for _ in keys],
            [key[0] for key in keys],
            [missing[key][1] for key in keys],
            [key[1] for key in keys],
            [key[2] for key in keys],
            [missing[key][0] for key in keys],
        ],
    )
    won = set(cursor.fetchall())
    lost = [key for key in keys if key not in won]
    if lost:
        _follow_winners(cursor, groups, _find(cursor, lost), known)


def _follow_winners(cursor: Any, groups: list[_Group], winners: dict[Key, Any], known: dict[Key, Any]) -> None:
    known |= winners
    for group in groups:
        theirs = [winners[key][0] for key in sorted(group.keys, key=lambda key: _ORDER[key[1]]) if key in winners]
        if theirs and group.is_new:
            mine = group.contact_id
            cursor.execute(_FOLLOW, [theirs[0], mine])
            for other in groups:  # who was to be this new contact, too
                if other.contact_id == mine:
                    other.contact_id, other.is_new = theirs[0], False


def _create(cursor: Any, groups: list[_Group]) -> None:
    if groups:
        cursor.execute(
            _CREATE,
            [
                [group.contact_id for group in groups],
                [group.tenant_id for group in groups],
                [group.profile_name for group in groups],
                [group.username for group in groups],
                [group.phone for group in groups],
                [group.at for group in groups],
            ],
        )


def _learn(cursor: Any, groups: list[_Group], known: dict[Key, Any]) -> None:
    """Update names of contacts that were there, only where something newer was said: a replay writes nothing."""
    facts = {row[0]: row for row in known.values()}
    news = []
    for group in groups:
        _id, _name, _username, phone, profile_at = facts.get(group.contact_id, (None, "", "", "", None))
        is_newer = group.at is not None and (profile_at is None or group.at > profile_at)
        gets_phone = bool(group.phone) and not phone
        if is_newer or gets_phone:
            name, user = (group.profile_name, group.username) if is_newer else ("", "")
            news.append((group.contact_id, name, user, group.phone, group.at if is_newer else None))
    if news:
        news.sort(key=lambda item: str(item[0]))
        cursor.execute(_LEARN, list(map(list, zip(*news, strict=True))))
