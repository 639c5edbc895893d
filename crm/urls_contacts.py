from django.urls import path

from crm.views.contacts import erasing, exporting, handing_over, importing, merging, people, person

urlpatterns = [
    path("contacts/", people.index, name="contacts"),
    path("contacts/new/", person.new, name="contact-new"),
    path("contacts/labels/", people.label, name="contacts-label"),
    path("contacts/hand-over/", handing_over.hand_over, name="contacts-hand-over"),
    path("contacts/export/", exporting.export, name="contacts-export"),
    path("contacts/imports/", importing.create, name="contact-imports"),
    path("contacts/imports/<uuid:import_id>/", importing.show, name="contact-import"),
    path("contacts/imports/<uuid:import_id>/errors/", importing.errors, name="contact-import-errors"),
    path("contacts/merge/", merging.merge, name="contacts-merge"),
    path("contacts/merges/<uuid:merge_id>/undo/", merging.unmerge, name="contacts-unmerge"),
    path("contacts/erasures/", erasing.index, name="erasures"),
    path("contacts/<uuid:contact_id>/", person.show, name="contact"),
    path("contacts/<uuid:contact_id>/erasure/", erasing.erase, name="contact-erasure"),
    path("contacts/<uuid:contact_id>/marketing/", person.marketing, name="contact-marketing"),
    path("contacts/<uuid:contact_id>/labels/", person.label, name="contact-label"),
    path("contacts/<uuid:contact_id>/phones/", person.phones, name="contact-phones"),
    path("contacts/<uuid:contact_id>/conversations/", person.converse, name="contact-conversations"),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/contacts/",
        person.save_card,
        name="message-contacts",
    ),
]
