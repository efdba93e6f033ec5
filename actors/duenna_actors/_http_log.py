"""What the HTTP client logs by itself: each request with its whole address, and so tokens and signatures."""

import logging
from typing import Final

from duenna.secrets import redact


class _WithoutSecrets(logging.Filter):
    """Lets every record pass, without the secrets in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), ()
        return True


_FILTER: Final = _WithoutSecrets()


def keep_secrets() -> None:
    """Have the client's own lines redacted, whoever's handlers get them; does nothing the second time."""
    logging.getLogger("httpx2").addFilter(_FILTER)
