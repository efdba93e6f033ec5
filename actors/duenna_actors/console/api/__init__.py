"""The REST interface: one table of endpoints, from which both the routes and the OpenAPI document are made."""
