"""Today at PE Ventas, the shop's first number. Data, no rules."""

from crm.demo.scripts import Scene

_NUMBER = "100000000000001"

SCENES = (
    # Waiting, about to close
    Scene("Distribuidora El Sol S.A.C.", "51987555093", _NUMBER, "23h22m", """
        < Buenas tardes, les hago llegar nuestra orden de compra del mes
        < [document Orden de compra OC-0093.pdf]
        """, earlier=(("mayorista", 61), ("factura", 32)), known_as="Distribuidora El Sol S.A.C.",
        labels=("mayorista",), attributes=(("RUC", "20551234567"), ("Ciudad", "Lima"))),
    Scene("Joaquín Tapia", "51986555121", _NUMBER, "22h48m", """
        > [template recordatorio_pago; Joaquín; NC-4102; 18:00]
        +35m < ¿Me pueden reenviar el link de pago? El otro ya venció
        < y una consulta, ¿aceptan Plin?
        """, earlier=(("pago_yape", 40),), labels=("por cobrar",)),
    Scene("Milena Ugarte", "51985555330", _NUMBER, "22h12m", """
        < hola! vi en la web la Bota Sierra a S/ 319, ¿ese precio es con envío?
        < vivo en Cajamarca
        < [location Plaza de Armas; Cajamarca, Perú; -7.1617; -78.5128]
        """),
    Scene("Gonzalo Ibarra Peña", "51984555018", _NUMBER, "23h41m", """
        < hola, sigue en pie lo del cambio?
        = ana takes
        > Hola Gonzalo, sí. ¿Prefieres recojo en casa o pasas por Larcomar?
        +40m < paso yo. mañana a las 11 está bien?
        < [voice]
        """, agent="ana", earlier=(("cambio_talla", 9),)),
    # Waiting, with time
    Scene("Rosa Quispe", "51900555014", _NUMBER, "12h40m", """
        < Buenas, me llegó la talla 38 y yo había pedido 37 😔
        = ana takes
        > ¡Hola, Rosa! Qué pena, lo resolvemos hoy mismo. ¿Es el pedido 4821?
        < sí, el #4821
        < [image] mire
        > Gracias por la foto. Ya separé tu par en 37 en la tienda de Surquillo.
        > ¿A qué dirección la llevamos?
        +2h < Av. Larco 743, Miraflores
        > Anotado: Av. Larco 743, lo recibe Julio.
        +2h < [poll]
        < [voice]
        < [^5] A esa misma. ¿Puede ser antes de las 6? 🙏
        +2h > [read] ¡Claro que sí, Rosa! Sale en la ruta de las 14:00, así que llega antes de las 6.
        > Apenas salga la ruta te confirmo la hora exacta
        """, earlier=(("recojo_tienda", 172), ("talla_consulta", 103)), known_as="Rosa Quispe Mamani",
        labels=("cambio de talla", "Miraflores"), attributes=(("DNI", "45 8•• •12"), ("Ciudad", "Lima"))),
    Scene("Valentina Muñoz", "51983555227", _NUMBER, "3m", """
        < holaaa
        < [image] ¿este modelo lo tienen?
        < en 36 o 36.5 si hay 🥺
        """, earlier=(("catalogo", 55),)),
    Scene("", "51900555087", _NUMBER, "5m", """
        < [ad Trail 25 %] buenas, precio de las botas de trekking
        """),
    Scene("Dani", "PE.30017754920118263", _NUMBER, "26m", """
        < hola! tienen tienda física en Miraflores?
        < es para probarme unas trail
        """, username="dani.trail"),
    Scene("César Augusto Villanueva", "51982555640", _NUMBER, "1h50m", """
        < Señores buenas tardes
        < Les escribo porque el sábado compré en su tienda de Jockey Plaza un par de mocasines modelo Lima color marrón, talla 42, y al llegar a mi casa noté que uno de los dos tiene una costura abierta en el talón. Tengo la boleta y la caja. Quisiera saber cuál es el procedimiento para el cambio, porque el viernes tengo un matrimonio y necesito usarlos sin falta.
        < [image] Adjunto foto de la costura
        < [image] y de la boleta
        < Quedo atento a su pronta respuesta
        = ana reads
        """, labels=("urgente",)),
    Scene("Fiorella Campos", "51981555702", _NUMBER, "4h5m", """
        < Hola chicos 💕 ¿la Urbana Lino en blanco vuelve?
        = ana takes
        > ¡Hola, Fiorella! Sí, el martes nos llegan 20 pares. ¿Qué talla usas?
        < 37
        > Te separo uno y te aviso apenas entre 🙌
        < [react 😍]
        < siii gracias!! y en beige también por si acaso
        """, earlier=(("talla_consulta", 80), ("campana", 21)), labels=("clienta frecuente",)),
    Scene("Percy Mamani", "51980555415", _NUMBER, "6h30m", """
        < ola
        < presio de runer costa
        < talla 41
        """),
    Scene("Lucía Ferrer", "51979555118", _NUMBER, "55m", """
        < [order] Para el sábado, por favor
        < ¿Llega a tiempo a Trujillo?
        """, earlier=(("carrito", 30),)),
    Scene("Nicolás Barrantes", "51978555904", _NUMBER, "9h15m", """
        * [template carrito_v3; Nicolás; Trail Andina 2]
        +2h < [button] Hablar con una persona
        < es que quería saber si la trail sirve para lluvia
        """),
    Scene("Juan Carlos Ríos", "51977555366", _NUMBER, "14m", """
        < [forwarded] Liquidación total Nube Calzado, hasta 70% este fin de semana!!!
        < esto es verdad?
        """),
    # Answered
    Scene("Marco Antonio Villanueva", "51976555233", _NUMBER, "3d4h", """
        < Ya pagué, ¿me pasan el código?
        = ana takes
        > [delivered] Hola Marco, lo estoy generando
        > [sent] Listo, aquí tu código de seguimiento: OLV-77120453
        +1d * [template pedido_en_camino; Marco; NC-4077; jueves 26][sent]
        """, earlier=(("pedido_demora", 130), ("talla_consulta", 45))),
    Scene("Beatriz Solano", "51975555091", _NUMBER, "2h20m", """
        < Buenos días, ¿hacen descuento por dos pares?
        = ana takes
        > ¡Buenos días, Beatriz! Sí: 15 % en el segundo par.
        < ah qué bien. entonces la Bota Sierra 38 y los Mocasín Lima 43 para mi esposo
        > Perfecto, el total es S/ 531.65 con envío incluido. ¿Te mando el enlace?
        < [react 👍]
        < sí por favor
        > Aquí va: https://nubecalzado.test/pagar/NC-4188
        > El enlace vale hasta las 20 h 😉
        """, earlier=(("recojo_tienda", 200),)),
    Scene("Thiago Nascimento", "5511987550142", _NUMBER, "1h10m", """
        < Oi! Vocês enviam para o Brasil?
        = ana takes
        > ¡Hola, Thiago! Sí, a São Paulo demora 6 días hábiles. ¿Qué modelo te interesa?
        < a Trail Andina 2, número 41 (acho que é 43 aí)
        > Exacto, 41 de Brasil es 43 aquí. Nos quedan dos pares en gris.
        < que ótimo! posso pagar com cartão?
        > Sí, con cualquier tarjeta internacional.
        """),
    Scene("Paola Céspedes", "51974555288", _NUMBER, "7h45m", """
        < hola una pregunta, el cupón NUBE10 todavía funciona?
        > Hola Paola, sí, hasta fin de mes 🙂
        = ana takes
        < en la página me sale error
        < [image]
        > Ya vi: falta quitar el descuento de temporada, no se suman. Te lo aplico yo, ¿qué llevas?
        < las runner costa 37 en rosado
        > Listo: https://nubecalzado.test/pagar/NC-4190 con el 10 % aplicado.
        < [edit] las runner costa 37 en rosado y unas medias de lana
        > [^3] ¡Ah, y las medias! Ya las agregué al mismo enlace.
        < 😘😘
        > [read] ¡Gracias a ti!
        """),
    Scene("Ernesto Salcedo", "51973555600", _NUMBER, "11h", """
        < disculpen ya no las quiero
        < [revoke]
        < perdón, mensaje equivocado jaja. sí las quiero
        = ana takes
        > Jaja, no te preocupes Ernesto. ¿Seguimos con el envío del jueves?
        < sí sí
        > [delivered] Perfecto, confirmado para el jueves.
        """),
    Scene("Carla Mendiola", "51972555713", _NUMBER, "16h", """
        < hola necesito zapatos para 12 damas de honor 😅
        < todas de diferente talla
        =  supervisor takes
        >supervisor ¡Hola, Carla! Qué lindo. Soy Milagros, me encargo yo de tu pedido.
        >supervisor ¿Me pasas la lista de tallas y el color?
        < [document Tallas damas.pdf] ahí está todo, color champagne
        >supervisor Recibido. Mañana a primera hora te confirmo stock y precio por los 12 pares.
        < eres un sol ☀️
        """, labels=("evento", "mayorista")),
    # Failed, unknown
    Scene("Camilo Reyes", "51971555847", _NUMBER, "7h58m", """
        < ¿me mandan un video de cómo queda puesta?
        = ana takes
        > ¡Claro, Camilo! Te lo grabo ahora.
        > [refused media 131053] Aquí va el video de la Trail Andina puesta
        """),
    Scene("Ximena Paz", "51970555162", _NUMBER, "10h20m", """
        < hola, me confirman si recibieron mi transferencia?
        < son S/ 249
        = ana takes
        > Hola Ximena, un momento, reviso con tesorería.
        +6m > [unknown] Sí, ya la recibimos. Tu pedido NC-4180 sale mañana.
        """),
    Scene("Rodrigo Lazo", "51969555509", _NUMBER, "2d3h", """
        < cuánto demora a Iquitos?
        = ana takes
        > Hola Rodrigo, entre 5 y 7 días. ¿Te ayudo con el pedido?
        +1d > [template retomar_conversacion; Rodrigo; el envío a Iquitos][failed 131026]
        """),
    # Sequences and campaigns
    Scene("Gabriela Tello", "51968555377", _NUMBER, "20d", """
        * [template carrito_v3; Gabriela; Urbana Lino][read]
        +3d * [template oferta_temporada; Gabriela; 20 %][delivered]
        """),
    Scene("Hugo Antezana", "51967555424", _NUMBER, "6d", """
        * [template oferta_temporada; Hugo; 20 %][failed 131049]
        """, earlier=(("talla_consulta", 150),)),
    Scene("Silvia Orozco", "51966555980", _NUMBER, "8d", """
        < por favor ya no me manden promociones
        = ana takes
        > Entendido, Silvia, disculpa las molestias.
        +4d * [template oferta_temporada; Silvia; 20 %][failed 131050]
        """, earlier=(("campana", 70),)),
    Scene("Álvaro Pinedo", "51965555251", _NUMBER, "1d20h", """
        < ok gracias, lo consulto con mi esposa
        = ana takes
        > [read] ¡Perfecto, Álvaro! Te escribo en unos días.
        +1d * [template oferta_temporada; Álvaro; 25 %][unknown]
        """, earlier=(("catalogo", 5),)),
    # Nobody receives anything there any more
    Scene("Marco Antonio Villanueva", "51959555214", _NUMBER, "9d", """
        < buenas, el mocasín lima hay en 43?
        = ana takes
        > [read] Hola Marco, sí: nos queda el último par en marrón. ¿Te lo separo?
        +2d * [template oferta_temporada; Marco; 15 %][sent]
        +1d * [template carrito_v3; Marco; Mocasín Lima][sent]
        +30h * [template oferta_temporada; Marco; 25 %][sent]
        """, earlier=(("talla_consulta", 40),)),
    Scene("Gabriela Núñez Prado", "51958555377", _NUMBER, "11d", """
        < me avisan cuando llegue la bota sierra?
        = ana takes
        > [read] ¡Claro, Gabriela! Te escribo apenas llegue.
        +4d * [template oferta_temporada; Gabriela; 20 %][sent]
        +2d * [template carrito_v3; Gabriela; Bota Sierra][sent]
        """, earlier=(("catalogo", 33),)),
    Scene("Óscar Ríos Tello", "51957555460", _NUMBER, "8d", """
        < gracias, lo veo el finde
        = ana takes
        > [read] Perfecto, Óscar. Aquí estamos.
        +3d * [template carrito_v3; Óscar; Runner Costa][sent]
        """, earlier=(("pago_yape", 25),)),
    # Put aside, closed
    Scene("Teresa Balbuena", "51964555136", _NUMBER, "18h", """
        < Hola, ¿para cuándo llegan las botas rojas?
        = ana takes
        > Hola Teresa, nos dijeron que el lunes. Te escribo apenas entren.
        < ya mi reina, gracias 🌷
        = ana snoozes 2d
        """, earlier=(("garantia", 88),)),
    Scene("Bruno Echevarría", "51963555718", _NUMBER, "1d2h", """
        < Listo, recibí las dos cajas. Todo conforme 👌
        = ana takes
        > [read] ¡Gracias, Bruno! Que las disfrutes.
        = ana closes
        """, earlier=(("mayorista", 90), ("pedido_demora", 48), ("talla_consulta", 4))),
    Scene("Noelia Farfán", "51962555390", _NUMBER, "4d6h", """
        < y si me quedan grandes?
        = ana takes
        > Tienes 30 días para cambiarlas, Noelia, sin costo 😊
        < ah buenísimo, entonces las compro hoy en la noche
        > [read] ¡Genial! Aquí estamos.
        = ana closes
        """, earlier=(("catalogo", 12), ("carrito", 8))),
    Scene("Renzo Alarcón", "51961555844", _NUMBER, "9d", """
        < gracias por todo
        > [read] A ti, Renzo 🙌
        = agent closes
        """, earlier=(("pago_yape", 60), ("recojo_tienda", 31), ("cambio_talla", 11))),
)  # fmt: skip
