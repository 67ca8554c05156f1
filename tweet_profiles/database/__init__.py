"""MongoDB: the connection, and the local server."""
