"""Today at CL Ventas, the number that has no queue yet: what comes in lies in triage. Data, no rules."""

from crm.demo.scripts import Scene

_NUMBER = "100000000000003"

SCENES = (
    Scene("Valeria Araya", "56961555034", _NUMBER, "8m", """
        < Hola! despachan a Ñuñoa?
        < ando buscando unas zapatillas pa trekking, talla 38
        """),
    Scene("Cristóbal Fuenzalida", "56962555108", _NUMBER, "45m", """
        < buenas tardes, cuánto sale la Trail Andina en pesos?
        """),
    Scene("Javiera Pizarro", "56963555217", _NUMBER, "2h15m", """
        < [ad Trail 25 %] holi
        < tienen stock de la bota sierra en negro?
        < [image] esta
        """),
    Scene("Matías Sepúlveda", "56964555390", _NUMBER, "6h40m", """
        < oye y la tienda de Providencia ya abrió?
        < es que el maps me dice que está cerrada
        < [location Nube Calzado Providencia; Av. Providencia 2124, Santiago; -33.4229; -70.6093]
        """),
    Scene("Constanza Vergara", "56965555481", _NUMBER, "23h22m", """
        < hola, les transferí ayer y nadie me responde 😡
        < [image]
        """, labels=("urgente",)),
    Scene("", "56966555573", _NUMBER, "19h", """
        < ?
        """),
    Scene("Ignacio Bustos", "56967555629", _NUMBER, "1d8h", """
        < me interesa ser distribuidor en Temuco, con quién puedo hablar?
        < mi correo es ignacio@calzadosur.test
        """, labels=("mayorista",)),
    Scene("Antonia Riquelme", "56968555706", _NUMBER, "3h30m", """
        < hola, cambio de talla se puede en Chile?
        = ana takes
        > ¡Hola, Antonia! Sí, por Chilexpress y sin costo. ¿Qué talla necesitas?
        < 37 en vez de 36
        > Perfecto, te mando la etiqueta al correo hoy.
        < bacán, gracias
        """, earlier=(("talla_consulta", 10),)),
    Scene("Felipe Cárcamo", "56969555842", _NUMBER, "12h10m", """
        < buena, me llegó! gracias
        =  supervisor takes
        >supervisor [read] ¡Qué alegría, Felipe! Que las disfrutes.
        =  supervisor closes
        """, earlier=(("pedido_demora", 2),), agent="supervisor"),
)  # fmt: skip
