from django.urls import path

from whatsapp.flows import endpoint

urlpatterns = [
    path("flows/<slug:phone_number_id>/", endpoint.exchange, name="flow-exchange"),
]
