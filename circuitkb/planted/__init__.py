"""Planted truth as a benchmark: networks with known circuits, answers of any tool, their score."""
