"""The pages of contacts, read in English."""

import csv
import io

ENGLISH = {"accept-language": "en"}


def page(client, url: str = "/contacts/", **query) -> str:
    answer = client.get(url, query, headers=ENGLISH)
    assert answer.status_code == 200
    return answer.content.decode()


def names(client, **query) -> list[str]:
    shown = client.get("/contacts/", query, headers=ENGLISH).context["listing"]
    return [row.contact.shown_name for row in shown.rows]


def exported(client, **query) -> list[dict[str, str]]:
    answer = client.get("/contacts/export/", query)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))
