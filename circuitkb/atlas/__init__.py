"""The knowledge base as pages for a browser: a page for every thing and list, each a link."""
