"""What queries of users may say and bring, the same on every engine."""
