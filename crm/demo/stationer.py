"""The other company: a stationer's in São Paulo, in Portuguese, so that a mixed-up tenant is seen at once. Data."""

from crm.demo.scripts import Scene

_NUMBER = "200000000000001"

TALKS = {
    "lista_escolar": """
        < Bom dia! Vocês montam a lista de material escolar?
        < [document Lista 3o ano.pdf]
        = agent takes
        > Bom dia, {nombre}! Montamos sim. Fica pronta amanhã à tarde.
        < quanto fica mais ou menos?
        > Em torno de R$ 340, com cadernos capa dura.
        < pode fechar então
        +1d > Lista pronta! Pode retirar até as 19 h.
        < [react 👏]
        < passo hoje, obrigada
        = agent closes
    """,
}

SCENES = (
    Scene("Helena Martins", "5511975550201", _NUMBER, "23h10m", """
        < Oi, vocês têm papel vergê 180 g cor creme?
        < preciso de 200 folhas para convites
        """),
    Scene("Escola Pequeno Príncipe", "5511974550388", _NUMBER, "1h25m", """
        < Boa tarde, segue o pedido do segundo semestre
        < [document Pedido escola.pdf]
        < Podem mandar o orçamento até amanhã?
        """, earlier=(("lista_escolar", 150),), labels=("escola",)),
    Scene("Seu Antônio", "5511973550415", _NUMBER, "12m", """
        < tem toner pra brother 1212?
        < [voice]
        """),
    Scene("Camila Nogueira", "553198550522", _NUMBER, "4h", """
        < Oi! A caneta tinteiro azul já chegou?
        = owner takes
        > Oi, Camila! Chegou hoje de manhã, separei uma para você 🖋️
        < ai que ótimo! vocês entregam em BH?
        > Entregamos pelos Correios, de 3 a 4 dias úteis.
        < [react ❤️]
        """, earlier=(("lista_escolar", 60),)),
    Scene("Gráfica Boa Vista", "5511972550649", _NUMBER, "2d2h", """
        < Confirmado, 40 resmas A4
        = owner takes
        > [read] Perfeito, entrego na quinta cedo.
        = owner closes
        """),
    Scene("Beatriz Lopes", "5511971550777", _NUMBER, "15h30m", """
        < vocês encadernam TCC capa dura?
        = owner takes
        > Encadernamos sim, Beatriz, fica pronto em 2 dias. Quantas páginas?
        < 128
        > [delivered] Então sai R$ 65 cada exemplar.
        """),
    Scene("Rafael Duarte", "5511970550834", _NUMBER, "20h", """
        < chegou o estojo de aquarela?
        = owner takes
        > Ainda não, Rafael. O fornecedor prometeu para segunda.
        = owner snoozes 2d
        """),
    Scene("Luana Prates", "5511969550958", _NUMBER, "6d", """
        < Adorei os planners, obrigada! 😍
        = owner takes
        > [read] Que bom, Luana! Volte sempre.
        = owner closes
        """, earlier=(("lista_escolar", 9),)),
)  # fmt: skip
