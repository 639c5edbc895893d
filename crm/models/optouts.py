from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.audit import audited
from tenants.base import TenantManager, TenantModel
from tenants.rls import Fence

STOP_WORDS = ("STOP", "BAJA", "SALIR", "PARAR", "SAIR", "CANCELAR SUSCRIPCIÓN", "CANCELAR INSCRIÇÃO", "UNSUBSCRIBE",
              "DARME DE BAJA", "DESCADASTRAR")  # fmt: skip
RESUME_WORDS = ("START", "ALTA", "VOLTAR", "VOLVER")


def _stop_words() -> list[str]:
    return list(STOP_WORDS)


def _resume_words() -> list[str]:
    return list(RESUME_WORDS)


@audited()
class MarketingWords(TenantModel):
    """With which words a person stops a company's marketing and takes it up again; a company without has the usual ones.

    They count as the whole of a message; capitals, accents and a point behind them do not matter.
    """

    stop = ArrayField(
        models.CharField(max_length=40), default=_stop_words, blank=True, verbose_name=_("words that stop")
    )
    resume = ArrayField(
        models.CharField(max_length=40), default=_resume_words, blank=True, verbose_name=_("words that resume")
    )

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        verbose_name = _("words about marketing")
        verbose_name_plural = _("words about marketing")
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                name="crm_marketingwords_key",
                violation_error_message=_("The company has its words already: change those."),
            ),
            Fence(name="crm_marketingwords_fence", referenced=False),
        ]

    def __str__(self) -> str:
        return ", ".join(self.stop)
