"""A network in memory: hosts, names and TCP, behind the seams that trio has for them, with all that can go wrong.

Unmodified trio code runs on it, and what is built on trio: HTTP clients, websockets, TLS, servers.
There is IPv4 and TCP. A socket of any other kind cannot be made: `OSError` with the errno that
a machine without it would give (``EAFNOSUPPORT`` for IPv6, so that Happy Eyeballs moves on).
"""

from duenna.testing._net._host import Host
from duenna.testing._net._link import Link
from duenna.testing._net._network import Network

__all__ = ["Host", "Link", "Network"]
