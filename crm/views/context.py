"""What the navigation rail shows. Everything is worked out when a template asks, so fragments pay nothing for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject, cached_property
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm.views.counting import MOST_WAITING, waiting
from tenants import clock
from tenants.models import Alert


@dataclass(frozen=True)
class Place:
    """One link of the rail. `count` asks for attention; `is_further` that a phone has it under “More”."""

    name: str
    icon: str
    url: str
    is_here: bool = False
    count: int = 0
    kind: str = "fail"
    is_outside: bool = False
    is_further: bool = False


class Rail:
    """The places this person may go to; one that is not built yet has no link.

    `waiting` is how many conversations wait for them, where the page has counted that already.
    """

    def __init__(self, request: HttpRequest, *, waiting: int | None = None) -> None:
        self.request = request
        self.membership = getattr(request, "membership", None)
        self.counted_waiting = waiting

    @cached_property
    def places(self) -> list[Place]:
        candidates = [
            self._place("inbox", _("Inbox"), "chat", count=self._waiting, kind="unread"),
            self._place("contacts", _("Contacts"), "users"),
            self._place("pending", _("Pending"), "tasks", count=lambda: self._counted("pending"), kind="warn"),
            self._place("sequences", _("Sequences"), "route"),
        ]
        if self.membership and self.membership.sees_everything:
            candidates.append(self._place("broadcasts", _("Broadcasts"), "megaphone", is_further=True))
            candidates.append(self._place("dashboard", _("Dashboard"), "chart", is_further=True))
        return [place for place in candidates if place]

    @cached_property
    def tools(self) -> list[Place]:
        places: list[Place | None] = [
            self._place("templates", _("Templates"), "template"),
            self._place("replies", _("Quick replies"), "bolt") if self.membership else None,
        ]
        if self.membership and self.membership.sees_everything:
            places.append(self._place("numbers", _("Numbers"), "sim"))
            places.append(self._place("alerts", _("Alerts"), "bell", count=self._open_alerts))
        if self.membership and self.membership.administers:
            places.append(self._place("flows", _("Flows"), "note"))
        if self.request.user.is_staff:
            places.append(self._place("admin:index", _("Settings"), "sliders"))
        if settings.SIMULATOR_URL:
            places.append(Place(_("Simulator"), "lab", settings.SIMULATOR_URL, is_outside=True))
        return [place for place in places if place]

    @cached_property
    def further(self) -> list[Place]:
        """What the bottom bar of a phone has no room for: it stands on one's own page."""
        return [place for place in self.places if place.is_further] + self.tools

    @property
    def further_count(self) -> int:
        return sum(place.count for place in self.further)

    @property
    def is_further(self) -> bool:
        """Whether this page is one's own, or one that a phone reaches from there."""
        return self.request.path == reverse("profile") or any(place.is_here for place in self.further)

    @property
    def initials(self) -> str:
        if self.membership:
            return self.membership.initials
        return "".join(word[0] for word in str(self.request.user).split()[:2]).upper()

    def _place(
        self,
        view: str,
        name: str,
        icon: str,
        *,
        count: Callable[[], int] = lambda: 0,
        kind: str = "fail",
        is_further: bool = False,
    ) -> Place | None:
        try:
            url = reverse(view)
        except NoReverseMatch:
            return None
        here = self.request.path
        is_here = here == url or (url != "/" and here.startswith(url))
        return Place(name, icon, url, is_here=is_here, count=count(), kind=kind, is_further=is_further)

    def _waiting(self) -> int:
        if self.counted_waiting is not None:
            return min(self.counted_waiting, MOST_WAITING)
        return waiting(self.membership) if self.membership else 0

    def _counted(self, place: str) -> int:
        return import_string(settings.RAIL_COUNTS[place])(self.membership) if self.membership else 0

    def _open_alerts(self) -> int:
        if self.membership is None or not self.membership.sees_everything:
            return 0
        return Alert.objects.filter(resolved_at=None, acknowledged_at=None).count()


def navigation(request: HttpRequest) -> dict[str, Any]:
    """`rail` for the shell; `demo_password` where the demo's logins may be shown, which is on a local machine only."""
    return {
        "rail": SimpleLazyObject(lambda: Rail(request)),
        "clock_ahead": clock.ahead() if settings.LOCAL else None,
        "demo_password": settings.DEMO_PASSWORD if settings.LOCAL else "",
    }
