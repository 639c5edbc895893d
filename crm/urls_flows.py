from django.urls import path

from crm.views import flows

urlpatterns = [
    path("settings/flows/", flows.index, name="flows"),
    path("settings/flows/new/", flows.create, name="flow-new"),
    path("settings/flows/sync/", flows.sync, name="flows-sync"),
    path("settings/flows/keys/<uuid:number_id>/", flows.key, name="flow-key"),
    path("settings/flows/<uuid:flow_id>/", flows.show, name="flow"),
    path("settings/flows/<uuid:flow_id>/file/", flows.replace, name="flow-file"),
    path("settings/flows/<uuid:flow_id>/wish/", flows.wish, name="flow-wish"),
]
