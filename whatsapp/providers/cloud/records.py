"""Numbers, templates, Flows, keys and tokens as the Graph API describes them, read into our values."""

from datetime import UTC, datetime, timedelta
from typing import Any

from whatsapp.providers.base import (
    BusinessProfile,
    FlowFault,
    FreshToken,
    RemoteFlow,
    RemoteKey,
    RemoteNumber,
    RemoteTemplate,
    TokenFacts,
)

# The Graph API leaves out whatever is not asked for.
NUMBER_FIELDS = (
    "id,display_phone_number,verified_name,status,quality_rating,code_verification_status,name_status,throughput,"
    "platform_type,is_on_biz_app,health_status,whatsapp_business_manager_messaging_limit,webhook_configuration"
)
FLOW_FIELDS = "id,name,status,categories,validation_errors"
PROFILE_FIELDS = "about,address,description,email,websites,vertical"
TEMPLATE_FIELDS = (
    "id,name,language,status,category,components,quality_score,rejected_reason,previous_category,parameter_format"
)


def number(item: dict[str, Any]) -> RemoteNumber | None:
    """One phone number; None for an item without an id."""
    number_id = _word(item.get("id"))
    if not number_id:
        return None
    health = _object(item.get("health_status"))
    return RemoteNumber(
        number_id=number_id,
        phone="".join(character for character in _word(item.get("display_phone_number")) if character in "0123456789"),
        display_phone=_word(item.get("display_phone_number")),
        name=_word(item.get("verified_name")),
        status=_word(item.get("status")),
        quality=_word(item.get("quality_rating")),
        throughput=_word(_object(item.get("throughput")).get("level")),
        messaging_limit=_word(item.get("whatsapp_business_manager_messaging_limit")),
        verification=_word(item.get("code_verification_status")),
        name_status=_word(item.get("name_status")),
        platform=_word(item.get("platform_type")),
        is_coexistent=item.get("is_on_biz_app") is True,
        can_send=_word(health.get("can_send_message")),
        obstacles=tuple(_obstacles(health)),
        webhook_url=_effective(_object(item.get("webhook_configuration"))),
        raw=item,
    )


def _effective(addresses: dict[str, Any]) -> str:
    """The narrowest address wins: the number's, the account's, the app's (Cloud API, "Webhook overrides")."""
    levels = ("phone_number", "whatsapp_business_account", "application")
    return next((url for level in levels if (url := _word(addresses.get(level)))), "")


def _obstacles(health: dict[str, Any]) -> list[str]:
    """Sentences of {"entities": [{"errors": [{"error_description", "possible_solution"}], "additional_info": […]}]}."""
    sentences: list[str] = []
    for entity in _objects(health.get("entities")):
        for error in _objects(entity.get("errors")):
            parts = (_word(error.get("error_description")), _word(error.get("possible_solution")))
            sentences.append(" ".join(part for part in parts if part))
        information = entity.get("additional_info")
        sentences.extend(_word(text) for text in (information if isinstance(information, list) else ()))
    return [sentence for sentence in dict.fromkeys(sentences) if sentence]


def template(item: dict[str, Any]) -> RemoteTemplate | None:
    """One template in one language; None for an item that has no name or language."""
    name, language = _word(item.get("name")), _word(item.get("language"))
    if not name or not language:
        return None
    return RemoteTemplate(
        template_id=_word(item.get("id")),
        name=name,
        language=language.replace("-", "_"),
        status=_word(item.get("status")),
        category=_word(item.get("category")),
        components=_objects(item.get("components")),
        quality=_word(_object(item.get("quality_score")).get("score")),
        rejected_reason=_word(item.get("rejected_reason")),
        previous_category=_word(item.get("previous_category")),
        parameter_format=_word(item.get("parameter_format")),
        raw=item,
    )


def token_facts(answer: dict[str, Any]) -> TokenFacts:
    """The answer of `debug_token`. 0 is “never”; `granular_scopes` and its `target_ids` may be missing."""
    data = _object(answer.get("data"))
    scopes = data.get("scopes")
    return TokenFacts(
        is_valid=data.get("is_valid") is True,
        kind=_word(data.get("type")),
        app_id=_word(data.get("app_id")),
        expires_at=_moment(data.get("expires_at")),
        data_access_expires_at=_moment(data.get("data_access_expires_at")),
        scopes=tuple(_word(scope) for scope in scopes) if isinstance(scopes, list) else (),
        targets={
            _word(scope.get("scope")): tuple(_word(target) for target in scope["target_ids"])
            for scope in _objects(data.get("granular_scopes"))
            if isinstance(scope.get("target_ids"), list)
        },
    )


def public_key(answer: dict[str, Any]) -> RemoteKey:
    """The answer of `whatsapp_business_encryption`: {"data": [{…}]} (Graph API reference), also seen without the list."""
    items = _objects(answer.get("data"))
    item = items[0] if items else answer
    return RemoteKey(
        public_key=_word(item.get("business_public_key")),
        status=_word(item.get("business_public_key_signature_status")).upper(),
    )


def flow(item: dict[str, Any]) -> RemoteFlow | None:
    """One Flow; None for an item without an id."""
    flow_id, categories = _word(item.get("id")), item.get("categories")
    if not flow_id:
        return None
    return RemoteFlow(
        flow_id=flow_id,
        name=_word(item.get("name")),
        status=_word(item.get("status")),
        categories=tuple(_word(word) for word in categories) if isinstance(categories, list) else (),
        faults=flow_faults(item),
    )


def flow_faults(answer: dict[str, Any]) -> tuple[FlowFault, ...]:
    """`validation_errors` of an upload or of a Flow."""
    return tuple(
        FlowFault(
            error=_word(fault.get("error")),
            message=_word(fault.get("message")),
            line_start=_count(fault.get("line_start")),
            line_end=_count(fault.get("line_end")),
            column_start=_count(fault.get("column_start")),
            column_end=_count(fault.get("column_end")),
        )
        for fault in _objects(answer.get("validation_errors"))
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def fresh_token(answer: dict[str, Any], *, now: datetime) -> FreshToken | None:
    """The answer of `oauth/access_token`; without `expires_in` the token never expires. None when there is none in it."""
    token, seconds = _word(answer.get("access_token")), answer.get("expires_in")
    if not token:
        return None
    lives = isinstance(seconds, int) and not isinstance(seconds, bool) and 0 < seconds < 10**9
    return FreshToken(token=token, expires_at=now + timedelta(seconds=seconds) if lives else None)  # type: ignore[arg-type]


def subscribers(answer: dict[str, Any]) -> list[str]:
    """The ids in {"data": [{"whatsapp_business_api_data": {"id", "name", "link"}}]}."""
    apps = [_object(item.get("whatsapp_business_api_data")) for item in _objects(answer.get("data"))]
    return [app_id for app in apps if (app_id := _word(app.get("id")))]


def profile(answer: dict[str, Any]) -> BusinessProfile:
    """The answer of `whatsapp_business_profile`: {"data": [{…}]}; what nobody wrote is left out of it."""
    found = next(iter(_objects(answer.get("data"))), {})
    websites = found.get("websites")
    return BusinessProfile(
        about=_word(found.get("about")),
        address=_word(found.get("address")),
        description=_word(found.get("description")),
        email=_word(found.get("email")),
        websites=tuple(filter(None, map(_word, websites))) if isinstance(websites, list) else (),
        vertical=_word(found.get("vertical")),
    )


def _word(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None
