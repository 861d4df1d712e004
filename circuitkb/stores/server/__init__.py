"""The server store: a knowledge base on a Neo4j server, shared by a group."""
