from django.urls import path

from crm.views import composing, dashboard, files, handling, inbox, issues, labels, replies, threads

urlpatterns = [
    path("", inbox.home, name="home"),
    path("inbox/", inbox.index, name="inbox"),
    path("dashboard/", dashboard.show, name="dashboard"),
    path("dashboard/export/", dashboard.export, name="dashboard-export"),
    path("issues/", issues.index, name="issues"),
    path("issues/<uuid:issue_id>/", issues.decide, name="issue"),
    path("inbox/changes/", inbox.changes, name="inbox-changes"),
    path("inbox/<uuid:conversation_id>/", threads.show, name="conversation"),
    path("conversations/<uuid:conversation_id>/messages/", composing.create, name="messages"),
    path("conversations/<uuid:conversation_id>/messages/older/", threads.older, name="older-messages"),
    path(
        "conversations/<uuid:conversation_id>/template-messages/",
        composing.create_from_template,
        name="template-messages",
    ),
    path("conversations/<uuid:conversation_id>/locations/", composing.create_location, name="location-messages"),
    path("conversations/<uuid:conversation_id>/products/", composing.create_product, name="product-messages"),
    path("conversations/<uuid:conversation_id>/cards/", composing.create_card, name="card-messages"),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/retry/", composing.retry, name="message-retry"
    ),
    path(
        "conversations/<uuid:conversation_id>/messages/<uuid:message_id>/outcome/",
        composing.decide,
        name="message-outcome",
    ),
    path("conversations/<uuid:conversation_id>/files/", files.create, name="file-messages"),
    path("files/<uuid:attachment_id>/", files.show, name="file"),
    path("files/<uuid:attachment_id>/thumbnail/", files.thumbnail, name="file-thumbnail"),
    path("files/<uuid:attachment_id>/retry/", files.retry, name="file-retry"),
    path("conversations/<uuid:conversation_id>/composer/", composing.show, name="composer"),
    path("conversations/<uuid:conversation_id>/closure/", handling.closure, name="closure"),
    path("conversations/<uuid:conversation_id>/snooze/", handling.snooze, name="snooze"),
    path("conversations/<uuid:conversation_id>/assignment/", handling.assignment, name="assignment"),
    path("conversations/<uuid:conversation_id>/transfer/", handling.transfer, name="transfer"),
    path("conversations/<uuid:conversation_id>/labels/", labels.label, name="conversation-label"),
    path("conversations/<uuid:conversation_id>/replies/", replies.offered, name="replies-offered"),
    path("replies/", replies.index, name="replies"),
    path("replies/preview/", replies.preview, name="reply-preview"),
    path("replies/<uuid:reply_id>/", replies.edit, name="reply"),
    path("replies/<uuid:reply_id>/removal/", replies.remove, name="reply-removal"),
    path("labels/", labels.usual, name="labels"),
    path("conversations/<uuid:conversation_id>/reading/", handling.reading, name="reading"),
]
