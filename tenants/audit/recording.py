"""Who changed what: append-only row history, written by database triggers so that bulk and raw SQL are seen too."""

from collections.abc import Callable
from typing import Any

import pghistory
from django.db import models

from tenants.rls import Fence


def audited(
    *, exclude: tuple[str, ...] = (), tenant_column: str = "tenant_id", changes_only: bool = False
) -> Callable[[Any], Any]:
    """Class decorator: keep every insert, update and delete of the model, with who did it and from which URL.

    `exclude` names fields whose value must never be copied (secrets), or whose changes tell nothing. History outlives
    the row it tells about. `changes_only` keeps the row as it was before each change, and nothing when it is inserted:
    for what arrives in great numbers and is seldom changed.
    """
    events: tuple[Any, ...] = (pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
    if changes_only:
        events = (pghistory.UpdateEvent(row=pghistory.Old), pghistory.DeleteEvent())

    def decorate(model: type[models.Model]) -> type[models.Model]:
        return pghistory.track(
            *events,
            exclude=list(exclude),
            append_only=True,
            obj_field=pghistory.ObjForeignKey(related_name="history", db_constraint=False),
            context_field=pghistory.ContextJSONField(),
            context_id_field=None,  # type: ignore[arg-type]
            meta={
                "constraints": [
                    Fence(
                        name=f"{model._meta.label_lower.replace('.', '_')}_event_fence",
                        column=tenant_column,
                        referenced=False,
                        writable=False,
                    )
                ]
            },
        )(model)

    return decorate
