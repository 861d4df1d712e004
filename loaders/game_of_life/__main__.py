"""``python -m circuitkb.loaders.game_of_life > life.jsonl``: labels of the catalogue."""

from __future__ import annotations

import json
import sys

from circuitkb.loaders.game_of_life.network import records

for record in records():
    sys.stdout.write(json.dumps(record) + "\n")
