"""A form of WhatsApp that asks two things."""

import json

SURVEY = json.dumps(
    {
        "version": "7.3",
        "screens": [{"id": "SURVEY", "terminal": True, "data": {"city": {"type": "string"}}, "layout": {"children": [
            {"type": "TextInput", "name": "city", "label": "¿En qué ciudad vives?"},
            {"type": "RadioButtonsGroup", "name": "size", "label": "Talla", "data-source": [
                {"id": "m", "title": "Mediana"}, {"id": "l", "title": "Grande"}]},
        ]}}],
    }
)  # fmt: skip
