"""Sequences and who is in them, over REST: the same calls as the pages make."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.authentication import caller
from crm.api.errors import ASKING, READING, READING_ONE, Refused
from crm.api.pagination import ByName
from crm.api.references import Reference
from crm.api.resource import Resource
from crm.api.serializers import Shape
from crm.models import Conversation
from sequences import enrolling
from sequences.models import Enrollment, EnrollmentState, Sequence

_SEQUENCE = {
    "id": "0199f3a0-0000-7000-8000-0000000000a1",
    "name": "Cotización sin respuesta",
    "numbers": [],
    "trigger": "manual",
    "trigger_value": "",
    "is_active": True,
    "version": 2,
    "steps": 3,
}
_ENROLLMENT = {
    "id": "0199f3a0-0000-7000-8000-0000000000a2",
    "sequence": _SEQUENCE["id"],
    "conversation": "0199f3a0-0000-7000-8000-0000000000c1",
    "state": "active",
    "step": 2,
    "due_at": "2026-11-25T15:00:00Z",
    "reason": "",
    "created_at": "2026-11-24T12:00:00Z",
    "ended_at": None,
}
SEQUENCE = OpenApiExample("A sequence", _SEQUENCE, response_only=True)
ENROLLMENT = OpenApiExample("An enrollment", _ENROLLMENT, response_only=True, status_codes=["200", "201"])
BEGIN = OpenApiExample(
    "Begin", {"sequence": _SEQUENCE["name"], "conversation": _ENROLLMENT["conversation"]}, request_only=True
)


class SequenceReference(Reference):
    """By id or by name."""

    model = Sequence
    also = "name"


class ConversationReference(Reference):
    """By id; one that the caller may not see is not there."""

    model = Conversation

    def _rows(self) -> Any:
        visible: Any = Conversation.objects.visible_to(caller(self.context["request"]))
        return visible.select_related("contact")


class SequenceSerializer(Shape):
    """A follow-up in steps. What it says is in its versions."""

    version = serializers.IntegerField(source="version.number", read_only=True, allow_null=True, default=None)
    steps = serializers.SerializerMethodField()

    class Meta:
        model = Sequence
        fields = ["id", "name", "numbers", "trigger", "trigger_value", "is_active", "version", "steps"]

    def get_steps(self, sequence: Sequence) -> int:
        return len(sequence.version.definition.get("steps", ())) if sequence.version else 0


class EnrollmentSerializer(Shape):
    """One conversation in one sequence."""

    step = serializers.SerializerMethodField(help_text="The step that comes next, from 1.")

    class Meta:
        model = Enrollment
        fields = ["id", "sequence", "conversation", "state", "step", "due_at", "reason", "created_at", "ended_at"]

    def get_step(self, enrollment: Enrollment) -> int:
        return enrollment.position + 1


class EnrollmentFilters(serializers.Serializer):
    sequence = SequenceReference(required=False, is_filter=True)
    conversation = ConversationReference(required=False, is_filter=True)
    state = serializers.ChoiceField(choices=EnrollmentState.choices, required=False)


class EnrollmentInput(serializers.Serializer):
    sequence = SequenceReference(help_text="Id or name.")
    conversation = ConversationReference()


@extend_schema(tags=["sequences"])
@extend_schema_view(
    list=extend_schema(
        summary="List sequences by name", responses={200: SequenceSerializer(many=True)} | READING, examples=[SEQUENCE]
    ),
    retrieve=extend_schema(
        summary="Show a sequence", responses={200: SequenceSerializer} | READING_ONE, examples=[SEQUENCE]
    ),
)
class Sequences(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Sequence.objects.select_related("version").prefetch_related("numbers")
    serializer_class = SequenceSerializer
    pagination_class = ByName


def _acts(summary: str) -> Any:
    return extend_schema(
        summary=summary, request=None, responses={200: EnrollmentSerializer} | ASKING, examples=[ENROLLMENT]
    )


@extend_schema(tags=["sequences"])
@extend_schema_view(
    list=extend_schema(
        summary="List who is in sequences, the newest first",
        parameters=[EnrollmentFilters],
        responses={200: EnrollmentSerializer(many=True)} | READING,
        examples=[ENROLLMENT],
    ),
    retrieve=extend_schema(
        summary="Show an enrollment", responses={200: EnrollmentSerializer} | READING_ONE, examples=[ENROLLMENT]
    ),
)
class Enrollments(mixins.ListModelMixin, mixins.RetrieveModelMixin, Resource):
    queryset = Enrollment.objects.all()
    serializer_class = EnrollmentSerializer

    def get_queryset(self) -> Any:
        visible = Conversation.objects.visible_to(caller(self.request))
        return super().get_queryset().filter(conversation__in=visible.values("pk"))

    def filter_queryset(self, queryset: Any) -> Any:
        return (
            queryset.filter(**self.asked_for(EnrollmentFilters).validated_data) if self.action == "list" else queryset
        )

    @extend_schema(
        summary="Begin a sequence with a conversation",
        description="Answers 200 with the enrollment that is running already, if there is one.",
        request=EnrollmentInput,
        responses={200: EnrollmentSerializer, 201: EnrollmentSerializer} | ASKING,
        examples=[BEGIN, ENROLLMENT],
    )
    def create(self, request: Request) -> Response:
        given = self.given(EnrollmentInput).validated_data
        sequence, conversation = given["sequence"], given["conversation"]
        if not sequence.is_active or sequence.version is None:
            raise Refused(reason="not_in_use", explanation=_("This sequence is not in use."))
        if not sequence.is_for(conversation):
            raise Refused(reason="other_number", explanation=_("This sequence is for another number."))
        begun = enrolling.enroll(sequence, [conversation], now=self.now, started_by=caller(request))
        running = Enrollment.objects.filter(sequence=sequence, conversation=conversation).order_by("-created_at", "-id")
        code = status.HTTP_201_CREATED if begun else status.HTTP_200_OK
        return Response(self.get_serializer(running.first()).data, code)

    @_acts("Pause an enrollment")
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        return self._act(lambda enrollment: enrolling.pause(enrollment))

    @_acts("Go on with a paused enrollment")
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        return self._act(lambda enrollment: enrolling.resume(enrollment, now=self.now))

    @_acts("Leave out the step that comes next")
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        return self._act(lambda enrollment: enrolling.skip(enrollment, now=self.now))

    @_acts("Stop an enrollment")
    @action(detail=True, methods=["post"])
    def stop(self, request: Request, pk: str) -> Response:
        return self._act(lambda enrollment: enrolling.stop(enrollment, now=self.now))

    def _act(self, change: Any) -> Response:
        enrollment = self.get_object()
        if not change(enrollment):
            raise Refused(reason="state", explanation=_("It is not in a state in which that can be done."))
        enrollment.refresh_from_db()
        return Response(self.get_serializer(enrollment).data)
