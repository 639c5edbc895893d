"""Today at PE Soporte, the shop's second number. Data, no rules."""

from crm.demo.scripts import Scene

_NUMBER = "100000000000002"

SCENES = (
    Scene("Pilar Zegarra", "51959555071", _NUMBER, "23h22m", """
        < Hola, ¿alguna novedad de mi reembolso?
        < ya pasaron 10 días hábiles
        """, earlier=(("garantia", 25),), labels=("reembolso",)),
    Scene("Óscar Huertas", "51958555448", _NUMBER, "22h31m", """
        < el repartidor dejó la caja mojada
        < [image]
        < [image] mire cómo están
        = luis takes
        > Hola Óscar, qué mal. ¿Los zapatos también se mojaron?
        +2h < sí, el derecho está manchado
        """, earlier=(("pedido_demora", 3),)),
    Scene("Fernanda Oliveira", "5511996550187", _NUMBER, "19m", """
        < Olá, bom dia! Meu pedido NC-4166 está parado na alfândega 😟
        = luis takes
        > Hola Fernanda, buenos días. Lo reviso con el courier ahora mismo.
        < obrigada! é presente de aniversário
        < preciso dele até sexta
        """, earlier=(("seguimiento", 20),), labels=("Brasil",)),
    Scene("Katherine Rojas", "51957555392", _NUMBER, "2m", """
        < HOLA
        < me cobraron dos veces!!!
        < [image]
        < necesito que me devuelvan la plata HOY
        """, labels=("urgente",)),
    Scene("Jesús Alberto Ñique", "51956555207", _NUMBER, "37m", """
        < buenas noches una consulta
        < la garantía cubre si se rompió el cierre de la bota?
        < [video]
        """, earlier=(("talla_consulta", 160),)),
    Scene("Mónica del Águila", "51955555813", _NUMBER, "2h55m", """
        < Me pueden dar el RUC de ustedes para un reclamo en Indecopi?
        """, earlier=(("pedido_demora", 15), ("cambio_talla", 7)), labels=("reclamo",)),
    Scene("Iván Portocarrero", "51954555520", _NUMBER, "5h12m", """
        < [sticker]
        < hola luis, soy iván el del cambio de la semana pasada
        = luis takes
        > ¡Hola, Iván! ¿Cómo te fue con el par nuevo?
        < bien pero ahora el otro hace ruido al caminar jaja
        < [voice]
        """, earlier=(("cambio_talla", 8),)),
    Scene("Adriana Cueto", "51953555664", _NUMBER, "8h40m", """
        < Hola, el recojo lo puede recibir mi hermano?
        < [contacts Julio Cueto; +51 952 555 101]
        = luis takes
        > Sí, Adriana. Solo necesito su DNI para dejarlo anotado.
        < 45812209
        > Anotado, gracias. Pasan mañana entre 9 y 13 h.
        < [react 🙏]
        """, earlier=(("garantia", 2),)),
    Scene("Wilmer Condori", "51951555773", _NUMBER, "13h30m", """
        < amigo llego mi pedido pero falta las medias
        = luis takes
        > Hola Wilmer, disculpa. Te las enviamos mañana sin costo a la misma dirección.
        < ya esta bien gracias
        > [read] ¡Gracias a ti por la paciencia!
        """, earlier=(("seguimiento", 4),)),
    Scene("Estefanía Loayza", "51950555119", _NUMBER, "3h20m", """
        < buen día, ¿a qué hora pasa el motorizado?
        ~ Hola Estefanía, soy Luis desde el celular del almacén. Está a dos cuadras.
        < ya lo vi! gracias 😄
        ~ [image] Así quedó la entrega
        ~ [react 👍]
        """, labels=("entrega hoy",)),
    Scene("Raúl Contreras Medina", "51949555340", _NUMBER, "15h", """
        < Buenas, compré en ventas y me pasaron este número
        < quiero cambiar la dirección de entrega
        = luis takes
        > Hola Raúl, claro. ¿Cuál es la nueva dirección?
        < Jr. Cusco 418 dpto 502, Magdalena
        > Listo, ya está actualizada. Llega el jueves.
        = luis transfers Ventas ana
        >ana [delivered] Hola Raúl, soy Ana. Tu boleta sale con la nueva dirección, no tienes que hacer nada.
        """),
    Scene("Diana Vílchez", "51948555256", _NUMBER, "20h10m", """
        < no me llega el correo con la boleta
        = luis takes
        > Hola Diana, ¿me confirmas tu correo?
        < diana.vilchez@correo.test
        > [failed 131000] Ya te la reenvié, revisa también la carpeta de spam.
        """),
    Scene("Ricardo Galdós", "51947555998", _NUMBER, "17h25m", """
        < ¿cuándo depositan?
        = luis takes
        > Hola Ricardo, el banco tarda hasta 48 horas.
        +5m > [unknown] El reembolso por S/ 189.90 salió hoy a las 15:10.
        """, earlier=(("garantia", 6),), labels=("reembolso",)),
    Scene("Yolanda Ticona", "51946555087", _NUMBER, "1d5h", """
        < Muchas gracias joven, muy amable
        = luis takes
        > [read] ¡Un gusto, señora Yolanda! Cuídese mucho.
        = luis closes
        """, earlier=(("talla_consulta", 75), ("cambio_talla", 2))),
    Scene("Sebastián Roca", "51945555431", _NUMBER, "21h", """
        < si pueden el lunes mejor, viajo el finde
        = luis takes
        > Sin problema, Sebastián. Programo el recojo para el lunes en la mañana.
        = luis snoozes 1d12h
        """, earlier=(("garantia", 1),)),
    Scene("Liliana Prieto", "51944555672", _NUMBER, "2d9h", """
        < ok espero
        = luis takes
        > [read] Gracias, Liliana. El taller nos responde el martes.
        = luis snoozes 4d
        """, earlier=(("garantia", 3),), labels=("taller",)),
    Scene("Manuel Arce", "51943555215", _NUMBER, "5d", """
        < Conforme, se solucionó
        = luis takes
        > [read] ¡Excelente, Manuel! Gracias por escribirnos.
        = luis closes
        """, earlier=(("factura", 110), ("pedido_demora", 6))),
    Scene("Grupo Andino Outdoor", "51942555300", _NUMBER, "12d", """
        < Adjunto el acta de conformidad firmada
        < [document Acta de conformidad.pdf]
        = luis takes
        > [read] Recibida, muchas gracias. Quedamos a su disposición.
        = luis closes
        """, earlier=(("mayorista", 95), ("factura", 64), ("pedido_demora", 14)), labels=("mayorista",)),
    Scene("Larissa Souza", "553187550166", _NUMBER, "6h50m", """
        < Boa tarde, a bota veio com defeito na costura
        < [image]
        = luis takes
        > Hola Larissa, lamento lo ocurrido. Te enviamos un par nuevo sin costo.
        < Muito obrigada! Preciso devolver a outra?
        > [read] No hace falta, puedes quedártela 🙂
        """, labels=("Brasil",)),
    Scene("Edith Palacios", "51941555829", _NUMBER, "3d", """
        > [template encuesta_satisfaccion; Edith; NC-3990]
        +1h < [button] Regular
        < demoró mucho pero el producto está bonito
        = luis takes
        > [read] Gracias por contarnos, Edith. Te dejamos un cupón de 10 % para tu próxima compra: NUBE10
        = luis closes
        """, earlier=(("seguimiento", 9),)),
)  # fmt: skip
