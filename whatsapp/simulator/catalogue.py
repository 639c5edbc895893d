"""The templates each account starts with: a shoe shop's, in Spanish, English and Portuguese. Data, no rules."""

from typing import Any


def _template(
    name: str,
    language: str,
    category: str,
    body: str,
    example: list[str] | None = None,
    *,
    header: str = "",
    header_format: str = "",
    footer: str = "",
    buttons: list[dict[str, Any]] | None = None,
    status: str = "APPROVED",
    score: str = "GREEN",
) -> dict[str, Any]:
    components: list[dict[str, Any]] = []
    if header_format:
        components.append({"type": "HEADER", "format": header_format})
    elif header:
        components.append({"type": "HEADER", "format": "TEXT", "text": header})
    components.append({"type": "BODY", "text": body, **({"example": {"body_text": [example]}} if example else {})})
    if footer:
        components.append({"type": "FOOTER", "text": footer})
    if buttons:
        components.append({"type": "BUTTONS", "buttons": buttons})
    return {
        "name": name,
        "language": language,
        "status": status,
        "category": category,
        "components": components,
        "parameter_format": "POSITIONAL",
        "quality_score": {"score": score, "date": 1793491200},
        "rejected_reason": "INCORRECT_CATEGORY" if status == "REJECTED" else "NONE",
    }


def _reply(text: str) -> dict[str, Any]:
    return {"type": "QUICK_REPLY", "text": text}


def _link(text: str, url: str) -> dict[str, Any]:
    return {"type": "URL", "text": text, "url": url}


_CART_BUTTONS = [_link("Ver mi carrito", "https://nubecalzado.test/carrito"), _reply("Hablar con una persona")]

CATALOGUE: list[dict[str, Any]] = [
    _template("hello_world", "en_US", "UTILITY", "Welcome and congratulations!! This message demonstrates your ability to "
              "send a WhatsApp message notification from the Cloud API, hosted by Meta.", header="Hello World",
              footer="WhatsApp Business Platform sample message"),
    _template("retomar_conversacion", "es", "UTILITY", "Hola {{1}}, seguimos con tu consulta sobre {{2}}. ¿Te viene bien "
              "que la retomemos por aquí?", ["Diego", "la talla 43"], buttons=[_reply("Sí, sigamos"), _reply("Ahora no")]),
    _template("confirmacion_pedido", "es", "UTILITY", "Hola {{1}}, recibimos tu pedido {{2}} por {{3}}. Te avisamos cuando "
              "salga del almacén.", ["Diego", "NC-1042", "S/ 389.90"], header="Pedido {{1}}", footer="Nube Calzado"),
    _template("pedido_en_camino", "es", "UTILITY", "Hola {{1}}, tu pedido {{2}} ya va en camino y llega el {{3}}.",
              ["Diego", "NC-1042", "martes 24"], buttons=[_link("Seguir envío", "https://nubecalzado.test/envio/{{1}}")]),
    _template("recordatorio_pago", "es", "UTILITY", "Hola {{1}}, tu pedido {{2}} está reservado hasta las {{3}}. Responde a "
              "este mensaje si necesitas ayuda con el pago.", ["Diego", "NC-1042", "18:00"]),
    _template("carrito_v3", "es", "MARKETING", "Hola {{1}}, tus {{2}} siguen en tu carrito. ¿Te ayudamos a terminar la "
              "compra?", ["Diego", "Trail Andina 2"], header_format="IMAGE", footer="Responde BAJA para no recibir avisos",
              buttons=_CART_BUTTONS),
    _template("oferta_temporada", "es", "MARKETING", "{{1}}, esta semana todo el calzado de montaña tiene {{2}} de "
              "descuento. ¡Te esperamos!", ["Diego", "20 %"], footer="Responde BAJA para no recibir avisos",
              buttons=[_link("Ver ofertas", "https://nubecalzado.test/ofertas"), _reply("No me interesa")]),
    _template("encuesta_satisfaccion", "es", "UTILITY", "Hola {{1}}, ¿cómo te fue con tu compra {{2}}? Tu respuesta nos "
              "ayuda a mejorar.", ["Diego", "NC-1042"], buttons=[_reply("Muy bien"), _reply("Regular"), _reply("Mal")]),
    _template("saludo_inicial", "es", "MARKETING", "Hola, soy parte del equipo de Nube Calzado. ¿En qué te podemos ayudar "
              "hoy?"),
    _template("codigo_verificacion", "es", "AUTHENTICATION", "{{1}} es tu código de verificación. Por tu seguridad, no lo "
              "compartas.", ["123456"], footer="Este código vence en 10 minutos."),
    _template("order_update", "en_US", "UTILITY", "Hi {{1}}, your order {{2}} has shipped and should arrive on {{3}}.",
              ["Diego", "NC-1042", "Tuesday 24"], footer="Nube Calzado"),
    _template("resume_conversation", "en_US", "UTILITY", "Hi {{1}}, we are following up on your question about {{2}}. Shall "
              "we continue here?", ["Diego", "size 43"], buttons=[_reply("Yes, please"), _reply("Not now")]),
    _template("season_offer", "en_US", "MARKETING", "{{1}}, trail shoes are {{2}} off this week only. Come and see!",
              ["Diego", "20%"], buttons=[_link("See offers", "https://nubecalzado.test/offers")]),
    _template("retomar_conversa", "pt_BR", "UTILITY", "Olá {{1}}, vamos continuar a sua consulta sobre {{2}}? Estamos por "
              "aqui para ajudar.", ["João", "o número 42"], buttons=[_reply("Sim, vamos"), _reply("Agora não")]),
    _template("pedido_a_caminho", "pt_BR", "UTILITY", "Olá {{1}}, o seu pedido {{2}} já está a caminho e chega em {{3}}.",
              ["João", "NC-1042", "24 de novembro"], footer="Nube Calzado"),
    _template("oferta_da_semana", "pt_BR", "MARKETING", "{{1}}, esta semana os tênis de trilha estão com {{2}} de desconto. "
              "Aproveite!", ["João", "20%"], footer="Responda SAIR para não receber avisos"),
    _template("promo_liquidacion", "es", "MARKETING", "{{1}}, ¡últimos pares con {{2}} de descuento! Solo hasta el domingo.",
              ["Diego", "40 %"], status="PAUSED", score="RED"),
    _template("aviso_reposicion", "es", "UTILITY", "Hola {{1}}, el modelo {{2}} volvió a estar disponible en tu talla.",
              ["Diego", "Trail Andina 2"], status="PENDING", score="UNKNOWN"),
    _template("bono_cumpleanos", "es", "UTILITY", "¡Feliz cumpleaños, {{1}}! Tienes un bono de {{2}} esperándote.",
              ["Diego", "S/ 30"], status="REJECTED", score="UNKNOWN"),
]  # fmt: skip
