"""Media at Meta: an id gives an address for five minutes, which wants the token again (Cloud API, "Media").

Ids of customers' files live for 7 days; those of files we upload for 30.
"""

from typing import IO, Any

from whatsapp.providers import downloading
from whatsapp.providers.base import Account, FetchedMedia, NotSent, OutcomeUnknown, Refused
from whatsapp.providers.cloud.client import Graph
from whatsapp.providers.downloading import CannotFetch, same_sum

_GONE = 100  # "Unsupported get request. Object with ID … does not exist"


def fetch(graph: Graph, account: Account, *, media_id: str, into: IO[bytes], max_bytes: int) -> FetchedMedia:
    """Write the file into `into`. Raises CannotFetch, with the detail `gone` when Meta no longer has it."""
    described = _described(graph, account, media_id)
    url, size = described.get("url"), described.get("file_size")
    if not isinstance(url, str) or not url:
        raise CannotFetch("an answer without an address")
    if isinstance(size, int) and size > max_bytes:
        raise downloading.TooLarge
    got = downloading.fetch(url, into=into, max_bytes=max_bytes, account=account)
    if not same_sum(str(described.get("sha256") or ""), got.sha256):
        raise CannotFetch("the file's checksum does not fit")
    return FetchedMedia(size=got.size, sha256=got.sha256, mime_type=str(described.get("mime_type") or got.mime_type))


def _described(graph: Graph, account: Account, media_id: str) -> dict[str, Any]:
    try:
        return graph.get(account, media_id, phone_number_id=account.number_id)
    except Refused as refusal:
        is_gone = refusal.code == _GONE
        failure = CannotFetch("gone" if is_gone else f"refused: {refusal}", is_final=is_gone)
    except (NotSent, OutcomeUnknown) as error:
        failure = CannotFetch(str(error) or type(error).__name__)
    raise failure


def upload(graph: Graph, account: Account, *, file: IO[bytes], mime_type: str, filename: str) -> str:
    """Hand a file to Meta; returns its id. Nothing goes to anybody yet, so any failure may be tried again."""
    answer = graph.upload(
        account,
        account.number_id,
        "media",
        fields={"messaging_product": "whatsapp", "type": mime_type},
        file=(filename or "file", file, mime_type),
    )
    media_id = answer.get("id")
    if not isinstance(media_id, str) or not media_id:
        raise OutcomeUnknown("HTTP 200 without a media id")
    return media_id
