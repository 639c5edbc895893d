"""Who may do what with sequences: everybody starts them and does their tasks; who sees everything writes them."""

from crm.views.access import supervisor_required

writer_required = supervisor_required
