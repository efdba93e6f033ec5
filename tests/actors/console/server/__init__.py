"""The server of the console: sockets, tokens, hardening, and the actor that has them."""
