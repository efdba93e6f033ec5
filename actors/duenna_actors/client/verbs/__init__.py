"""The verbs of the ``duenna`` command that speak to a running bot, one module each."""
