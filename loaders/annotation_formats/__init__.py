"""Annotations of people and tools, read from files and checked one by one."""
