"""The REST interface of the local Discord: routes, their handlers, and the way of a request through them."""
