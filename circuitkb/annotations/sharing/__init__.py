"""Annotations as files for others: records, tables, the web, bundles, a folder in git."""
