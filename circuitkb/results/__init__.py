"""The one result type, cards, reports of verbs, and pictures for notebooks."""
