"""Flows: forms that open inside WhatsApp. Their keys, the endpoint that phones exchange with, and what Meta knows of them.

Knows who may fill in which Flow; what is asked and where the answers go is the layer's above (`settings.FLOW_SCREENS`).
"""
