from django.urls import path

from crm.views import template_editor, templates

urlpatterns = [
    path("", templates.index, name="templates"),
    path("sync/", templates.sync, name="templates-sync"),
    path("new/", template_editor.new, name="template-new"),
    path("preview/", template_editor.preview, name="template-preview"),
    path("<uuid:template_id>/", templates.show, name="template"),
    path("<uuid:template_id>/edit/", template_editor.edit, name="template-edit"),
    path("<uuid:template_id>/deletion/", templates.delete, name="template-deletion"),
    path("changes/<uuid:change_id>/", template_editor.change, name="template-change"),
    path("changes/<uuid:change_id>/discard/", templates.discard, name="template-discard"),
]
