"""How much waits, at a glance: one grouped query over what is not closed."""

from typing import Any

from django.db.models import Count, Q, Sum
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api import examples
from crm.api.authentication import caller
from crm.api.errors import THROTTLED, UNAUTHENTICATED
from crm.models import Conversation, ConversationStatus
from tenants import clock
from tenants.models import Membership
from whatsapp.window import SOON

_OPEN = Q(status=ConversationStatus.OPEN)
_WAITING = _OPEN & Q(waiting_since__isnull=False)


class QueueStatsSerializer(serializers.Serializer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    open = serializers.IntegerField(help_text="Conversations that are open.")
    waiting = serializers.IntegerField(help_text="Open ones whose customer wrote and has no answer.")
    running_out = serializers.IntegerField(help_text="Waiting ones whose window closes within two hours.")
    unread = serializers.IntegerField(help_text="Messages nobody has read, in what is not closed.")


class StatsSerializer(serializers.Serializer):
    open = serializers.IntegerField()
    waiting = serializers.IntegerField()
    running_out = serializers.IntegerField()
    unread = serializers.IntegerField()
    queues = QueueStatsSerializer(many=True, help_text="The same by queue; a queue where nothing is open is left out.")


class Stats(APIView):
    @extend_schema(
        tags=["stats"],
        summary="Count what waits for the caller",
        responses={200: StatsSerializer, 401: UNAUTHENTICATED, 429: THROTTLED},
        examples=[examples.STATS],
    )
    def get(self, request: Request) -> Response:
        rows = by_queue(caller(request), now=clock.now())
        totals = {name: sum(row[name] for row in rows) for name in ("open", "waiting", "running_out", "unread")}
        return Response(StatsSerializer(totals | {"queues": rows}).data)


def by_queue(membership: Membership, *, now: Any) -> list[dict[str, Any]]:
    """What the member may see of what is not closed, counted by queue."""
    running_out = _WAITING & Q(window_expires_at__gt=now, window_expires_at__lte=now + SOON)
    conversations = Conversation.objects.visible_to(membership).exclude(status=ConversationStatus.CLOSED)
    rows = conversations.values("queue_id", "queue__name").annotate(
        open=Count("pk", filter=_OPEN),
        waiting=Count("pk", filter=_WAITING),
        running_out=Count("pk", filter=running_out),
        unread=Sum("unread_count"),
    )
    return [{"id": row.pop("queue_id"), "name": row.pop("queue__name")} | row for row in rows.order_by("queue__name")]
