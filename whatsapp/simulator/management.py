"""The Graph API beside messages: templates, numbers, subscriptions, registration, profile, encryption key, tokens."""

import re
import secrets
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import reviewing
from .errors import GraphError
from .meta_http import NODE, chosen, form_or_json, graph, page_of, token_of, world_of


@graph
async def templates(request: Request) -> Response:
    world, account_id = world_of(request), request.path_params["node"]
    world.numbers.authorize_account(account_id=account_id, token=token_of(request))
    query = request.query_params
    if request.method == "POST":
        added = world.templates.add(account_id=account_id, template=await form_or_json(request))
        reviewing.review(world, account_id, added)
        world.journal.touch()
        return JSONResponse({name: added[name] for name in ("id", "status", "category")})
    if request.method == "DELETE":
        if not world.templates.remove(
            account_id=account_id, name=query.get("name", ""), template_id=query.get("hsm_id", "")
        ):
            raise GraphError(100, "Template name was not found", subcode=2593002)
        return JSONResponse({"success": True})
    wanted = [
        one
        for one in world.templates.of(account_id)
        if query.get("name", one["name"]) == one["name"]
        and query.get("status", one["status"]) == one["status"]
        and query.get("language", one["language"]) == one["language"]
    ]
    return JSONResponse(page_of(request, [chosen(one, query.get("fields", "").split(",")) for one in wanted]))


@graph
async def phone_numbers(request: Request) -> Response:
    world, account_id = world_of(request), request.path_params["node"]
    world.numbers.authorize_account(account_id=account_id, token=token_of(request))
    fields = request.query_params.get("fields", "").split(",")
    numbers = [chosen(world.numbers.describe(number), fields) for number in world.numbers.of_account(account_id)]
    return JSONResponse(page_of(request, numbers))


@graph
async def subscribed_apps(request: Request) -> Response:
    world, account_id = world_of(request), request.path_params["node"]
    world.numbers.authorize_account(account_id=account_id, token=token_of(request))
    subscribed = world.numbers.subscribed
    if request.method == "GET":
        app = {
            "whatsapp_business_api_data": {"id": "1000000000000009", "name": "Ventana", "link": "https://ventana.test"}
        }
        return JSONResponse({"data": [app | subscribed[account_id]] if account_id in subscribed else []})
    if request.method == "DELETE":
        subscribed.pop(account_id, None)
        return JSONResponse({"success": True})
    body = await form_or_json(request)
    if body.get("override_callback_uri") and account_id not in subscribed:
        raise GraphError(
            100, "Before override the current callback uri, your app must be subscribed to receive messages"
        )
    override = body.get("override_callback_uri")
    subscribed[account_id] = {"override_callback_uri": override} if override else {}
    return JSONResponse({"success": True})


@graph
async def register(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.get_or_register(request.path_params["node"])
    world.numbers.authorize(number=number, token=token_of(request))
    pin = str((await form_or_json(request)).get("pin", ""))
    is_registering = request.url.path.endswith("/register")
    if is_registering and not re.fullmatch(r"\d{6}", pin):
        raise GraphError(100, "Param pin must be 6 characters long.")
    if is_registering and number.pin not in ("", pin):
        raise GraphError(133005, "Two-step verification PIN Mismatch")
    number.registered = is_registering
    return JSONResponse({"success": True})


@graph
async def business_profile(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.get_or_register(request.path_params["node"])
    world.numbers.authorize(number=number, token=token_of(request))
    if request.method == "POST":
        number.profile |= await form_or_json(request)
        return JSONResponse({"success": True})
    return JSONResponse({"data": [{"messaging_product": "whatsapp", **number.profile}]})


@graph
async def encryption(request: Request) -> Response:
    world = world_of(request)
    number = world.numbers.get_or_register(request.path_params["node"])
    world.numbers.authorize(number=number, token=token_of(request))
    if request.method == "POST":
        key = str((await form_or_json(request)).get("business_public_key", ""))
        if not is_fit(key):
            raise GraphError(100, "business_public_key must be a 2048-bit RSA public key in PEM format")
        number.public_key = key
        world.journal.touch()
        return JSONResponse({"success": True})
    found = {"business_public_key": number.public_key, "business_public_key_signature_status": number.key_status}
    return JSONResponse({"data": [found if number.public_key else {}]})


def is_fit(key: str) -> bool:
    """Whether it is a public RSA key of 2048 bits, as Meta asks."""
    try:
        found = load_pem_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return isinstance(found, RSAPublicKey) and found.key_size == 2048


@graph
async def debug_token(request: Request) -> Response:
    world = world_of(request)
    token = request.query_params.get("input_token", "")
    owner = world.numbers.owner_of(token)
    if not token:
        raise GraphError(100, "The parameter input_token is required")
    scopes = ["whatsapp_business_management", "whatsapp_business_messaging"]
    facts: dict[str, Any] = {
        "app_id": "1000000000000009", "type": "SYSTEM_USER", "application": "Ventana", "is_valid": True,
        "expires_at": 0, "data_access_expires_at": 0, "issued_at": 1793491200, "scopes": scopes,
    }  # fmt: skip
    if owner:
        scopes = list(owner.scopes)
        facts |= {
            "type": owner.token_kind, "is_valid": owner.token_state == "valid", "scopes": scopes,  # noqa: S105
            "expires_at": 0 if token in world.numbers.renewed else owner.token_expires_at,
        }  # fmt: skip
        facts["granular_scopes"] = [{"scope": scope, "target_ids": [owner.account_id]} for scope in scopes]
    return JSONResponse({"data": facts})


@graph
async def open_upload(request: Request) -> Response:
    """The first step of the Resumable Upload API: a session for a file of this length and type."""
    world = world_of(request)
    if not token_of(request):
        raise GraphError(190)
    about = await form_or_json(request) or dict(request.query_params)
    try:
        length = int(about.get("file_length", 0))
    except (TypeError, ValueError):
        length = 0
    if length < 1 or "/" not in str(about.get("file_type", "")):
        raise GraphError(100, "The parameters file_length and file_type are required.")
    key = secrets.token_urlsafe(16)
    world.uploads[key] = length
    return JSONResponse({"id": f"upload:{key}?sig={secrets.token_urlsafe(8)}"})


@graph
async def take_upload(request: Request) -> Response:
    """The second step: the bytes, answered with the handle that a template's example names."""
    world = world_of(request)
    if not request.headers.get("authorization", "").startswith("OAuth "):
        raise GraphError(190)
    length = world.uploads.get(request.path_params["key"])
    if length is None or "sig" not in request.query_params:
        raise GraphError(100, "The upload session does not exist.", subcode=33)
    content = await request.body()
    if request.headers.get("file_offset") != "0" or len(content) != length:
        raise GraphError(100, "The file has another length than its session.")
    return JSONResponse({"h": f"4::{secrets.token_urlsafe(24)}"})


async def exchange_token(request: Request) -> Response:
    """A system user's token that is about to expire, for one that lives 60 days more."""
    world, query = world_of(request), request.query_params
    token = query.get("fb_exchange_token", "")
    owner = world.numbers.owner_of(token)
    if query.get("grant_type") != "fb_exchange_token" or not query.get("client_id") or not query.get("client_secret"):
        raise GraphError(100, "Missing client_id, client_secret or grant_type parameter.")
    if owner is None or owner.token_state != "valid":  # noqa: S105
        raise GraphError(190, "Error validating access token: Session has expired", subcode=463)
    return JSONResponse(
        {"access_token": world.numbers.renew(token), "token_type": "bearer", "expires_in": 60 * 24 * 3600}
    )


routes = [
    Route("/{version}/oauth/access_token", graph(exchange_token), methods=["GET"]),
    Route("/{version}/app/uploads", open_upload, methods=["POST"]),
    Route("/{version}/upload:{key}", take_upload, methods=["POST"]),
    Route(f"{NODE}/message_templates", templates, methods=["GET", "POST", "DELETE"]),
    Route(f"{NODE}/phone_numbers", phone_numbers, methods=["GET"]),
    Route(f"{NODE}/subscribed_apps", subscribed_apps, methods=["GET", "POST", "DELETE"]),
    Route(f"{NODE}/register", register, methods=["POST"]),
    Route(f"{NODE}/deregister", register, methods=["POST"]),
    Route(f"{NODE}/whatsapp_business_profile", business_profile, methods=["GET", "POST"]),
    Route(f"{NODE}/whatsapp_business_encryption", encryption, methods=["GET", "POST"]),
    Route("/{version}/debug_token", debug_token, methods=["GET"]),
]
