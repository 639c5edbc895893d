from django.urls import path

from sequences.views import broadcasts, pending, running, trying, writing

urlpatterns = [
    path("sequences/", writing.index, name="sequences"),
    path("sequences/new/", writing.new, name="sequence-new"),
    path("sequences/import/", writing.bring, name="sequence-import"),
    path("sequences/<uuid:sequence_id>/", writing.edit, name="sequence"),
    path("sequences/<uuid:sequence_id>/activity/", writing.activity, name="sequence-activity"),
    path("sequences/<uuid:sequence_id>/try/", trying.show, name="sequence-try"),
    path("sequences/<uuid:sequence_id>/move/", running.move, name="sequence-move"),
    path("sequences/<uuid:sequence_id>/export/", writing.export, name="sequence-export"),
    path("sequences/<uuid:sequence_id>/enrollments/", running.enrollments, name="sequence-enrollments"),
    path("sequences/<uuid:sequence_id>/begin/", running.begin_many, name="sequence-begin"),
    path("contacts/enrollments/", running.begin_chosen, name="contacts-enroll"),
    path("enrollments/<uuid:enrollment_id>/", running.show, name="enrollment"),
    path("enrollments/<uuid:enrollment_id>/act/", running.act, name="enrollment-act"),
    path("conversations/<uuid:conversation_id>/enrollments/", running.begin, name="enrollment-begin"),
    path("broadcasts/", broadcasts.index, name="broadcasts"),
    path("broadcasts/new/", broadcasts.new, name="broadcast-new"),
    path("broadcasts/<uuid:broadcast_id>/", broadcasts.show, name="broadcast"),
    path("broadcasts/<uuid:broadcast_id>/words/", broadcasts.save, name="broadcast-words"),
    path("broadcasts/<uuid:broadcast_id>/act/", broadcasts.act, name="broadcast-act"),
    path("broadcasts/<uuid:broadcast_id>/export/", broadcasts.export, name="broadcast-export"),
    path("pending/", pending.index, name="pending"),
    path("pending/<uuid:task_id>/", pending.act, name="pending-act"),
]
