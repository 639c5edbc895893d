from django.urls import path

from crm.views import alerts, business_profile, connecting, handovers, numbers, queues

urlpatterns = [
    path("numbers/", numbers.index, name="numbers"),
    path("numbers/connect/", connecting.connect, name="number-connect"),
    path("numbers/<uuid:number_id>/", numbers.show, name="number"),
    path("numbers/<uuid:number_id>/queue/", numbers.queue, name="number-queue"),
    path("numbers/<uuid:number_id>/settings/", numbers.settings, name="number-settings"),
    path("numbers/<uuid:number_id>/checks/", numbers.checks, name="number-checks"),
    path("numbers/<uuid:number_id>/test/", numbers.test, name="number-test"),
    path("numbers/<uuid:number_id>/mend/", connecting.mend, name="number-mend"),
    path("numbers/<uuid:number_id>/handovers/", handovers.handovers, name="number-handovers"),
    path("numbers/<uuid:number_id>/token/", connecting.token, name="number-token"),
    path("numbers/<uuid:number_id>/profile/", business_profile.profile, name="number-profile"),
    path("queues/new/", queues.new, name="queue-new"),
    path("queues/<uuid:queue_id>/", queues.show, name="queue"),
    path("alerts/", alerts.index, name="alerts"),
    path("alerts/<uuid:alert_id>/", alerts.decide, name="alert"),
]
