"""Talks that ended some time ago, with blanks for the customer, the model, the order. Data, no rules."""

TALKS = {
    "talla_consulta": """
        < Hola, buenas tardes
        < tienen la {modelo} en talla {talla}?
        = agent takes
        > ¡Hola, {nombre}! Sí, en {talla} nos quedan 3 pares en negro y 1 en camel 😊
        < cuanto está?
        > {monto}, con envío gratis a {distrito}
        < dale, la quiero en negro
        > Perfecto. Te paso el enlace de pago: https://nubecalzado.test/pagar/{pedido}
        +25m < listo, ya pagué
        < [image receipt]
        > ¡Recibido! Tu pedido es el {pedido}. Sale hoy por la tarde 🚚
        < [react 👍]
        < gracias!!
        = agent closes
    """,
    "cambio_talla": """
        < Buen día, compré la {modelo} y me queda chica
        < se puede cambiar por una talla más?
        = agent takes
        > Hola {nombre}, claro que sí. ¿Me pasas el número de pedido, por favor?
        < {pedido}
        > Gracias. ¿El par está sin uso y con su caja?
        < si si, solo me la probé en casa
        < [image] así está
        > Perfecto, entonces coordinamos el recojo sin costo. ¿Te queda bien el {dia} entre 9 y 13 h?
        < el {dia} ok pero después de las 10 porfa
        > Anotado. El repartidor lleva el par nuevo y recoge el otro.
        +2d > Hola {nombre}, ¿llegó bien el cambio?
        < Sii, me queda perfecto, mil gracias 🙌
        > ¡Qué bueno! Cualquier cosa nos escribes.
        = agent closes
    """,
    "pedido_demora": """
        < Hola, mi pedido {pedido} no llega
        < dijeron {dia} y nada
        > Hola {nombre}, disculpa la espera. Déjame revisar con la empresa de reparto.
        = agent takes
        < ok
        > Ya tengo respuesta: ayer fueron a {distrito} y no encontraron a nadie. Lo vuelven a llevar mañana en la mañana.
        < nadie tocó el timbre, estuve todo el día
        > Tienes razón en molestarte, {nombre}. Pedí que te llamen 15 minutos antes de llegar.
        < está bien, espero entonces
        +19h < ya llegó, gracias
        > ¡Gracias por avisar! Y disculpa otra vez por la demora 🙏
        < no se preocupe
        = agent closes
    """,
    "catalogo": """
        < buenas, me mandan el catálogo de botas?
        > ¡Hola! Claro: https://nubecalzado.test/botas. ¿Buscas para ciudad o para montaña?
        = agent takes
        < montaña, voy a Huaraz en julio
        > Entonces mira la Bota Sierra y la {modelo}: las dos son impermeables.
        < y cuál pesa menos?
        > La {modelo}: 410 g por zapato. La Sierra llega a 560 g pero abriga más.
        < mmm ok lo pienso y le aviso
        > Cuando gustes, {nombre}. Te guardo la información por aquí.
        = agent closes
    """,
    "pago_yape": """
        < hola puedo pagar con yape?
        = agent takes
        > Hola {nombre}, sí: Yape, Plin, tarjeta o transferencia.
        < ya
        < a qué número
        > Al 900 555 700, a nombre de Nube Calzado SAC. Son {monto}
        < [image receipt] ahí va
        > Confirmado, gracias. Tu pedido {pedido} queda registrado.
        < me manda boleta porfa
        > Te llega al correo en unos minutos 📄
        < [react 🙏]
        = agent closes
    """,
    "factura": """
        < Buenos días. Necesito factura del pedido {pedido}, no boleta
        > Buenos días, {nombre}. ¿Me indica RUC y razón social, por favor?
        = agent takes
        < 20601234567
        < Inversiones Los Nogales S.A.C.
        > Gracias. La emito y se la envío al correo registrado hoy mismo.
        +3h > Listo, la factura ya fue enviada. ¿Pudo recibirla?
        < Recibida, muchas gracias
        = agent closes
    """,
    "mayorista": """
        < Hola, venden al por mayor? tengo una tienda en Arequipa
        = agent takes
        > Hola {nombre}, sí. Desde 24 pares aplicamos precio de distribuidor.
        < y se pueden surtir tallas?
        > Sí, de la 35 a la 44, mínimo 2 pares por talla.
        < [document Pedido muestra.pdf] este sería un primer pedido de prueba
        > Lo reviso con almacén y le confirmo hoy.
        +5h > Confirmado: tenemos todo menos la {modelo} en {talla}. Llega la próxima semana.
        < no hay problema, mandamos lo demás
        > Perfecto, le preparo la proforma.
        < gracias quedo atento
        = agent closes
    """,
    "garantia": """
        < hola, a mi {modelo} se le despegó la suela 😕
        < [image]
        < la compré hace como 3 meses
        = agent takes
        > Hola {nombre}, qué pena. Está dentro de la garantía de 6 meses.
        > ¿Tienes a mano el número de pedido?
        < creo que es {pedido}
        > Sí, aquí lo veo. Te enviamos un par nuevo; el repartidor recoge el dañado.
        < de verdad? pensé que iba a ser un lío jaja
        > Para eso estamos 😊 ¿Sigues en {distrito}?
        < siii la misma dirección
        > Genial, llega el {dia}.
        < [react ❤️]
        = agent closes
    """,
    "recojo_tienda": """
        < Hola, se puede recoger en tienda?
        > Hola {nombre}, sí, en Larcomar y en Jockey Plaza, sin costo.
        = agent takes
        < en Larcomar entonces, hoy puedo?
        > Desde las 16 h ya estaría listo el {pedido}. Solo trae tu DNI.
        < perfecto
        +5h < ya lo tengo, gracias!
        = agent closes
    """,
    "campana": """
        * [template oferta_temporada; {nombre}; 20 %]
        +3h < hola, la oferta incluye la {modelo}?
        = agent takes
        > ¡Hola, {nombre}! Sí, queda en {monto} hasta el domingo.
        < qué tallas hay
        > Nos quedan de la 36 a la 41.
        < soy {talla}... ya veré
        > Te la puedo separar 24 horas sin compromiso, ¿quieres?
        < no gracias, otro día
        > De acuerdo, {nombre}. ¡Que tengas buen día!
        = agent closes
    """,
    "seguimiento": """
        > [template confirmacion_pedido; {nombre}; {pedido}; {monto}]
        +1d > [template pedido_en_camino; {nombre}; {pedido}; {dia}]
        +2h < a qué hora llega más o menos?
        = agent takes
        > Hola {nombre}, entre las 14 y las 18 h.
        < ok estaré atenta
        +6h < ya lo recibí todo bien
        > [read] ¡Gracias por avisarnos!
        +1d * [template encuesta_satisfaccion; {nombre}; {pedido}]
        +40m < [button] Muy bien
        = agent closes
    """,
    "carrito": """
        * [template carrito_v3; {nombre}; {modelo}]
        +50m < [button] Hablar con una persona
        = agent takes
        > Hola {nombre}, soy del equipo de Nube Calzado. ¿En qué te ayudo con tu {modelo}?
        < no me dejaba pagar con mi tarjeta
        > Ya revisé: el banco pedía una clave. Prueba con este enlace: https://nubecalzado.test/pagar/{pedido}
        < ahora sí, gracias
        > [read] ¡Listo! Llega el {dia} a {distrito}.
        = agent closes
    """,
}
