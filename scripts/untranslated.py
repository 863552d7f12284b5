"""Say how many sentences of a catalog wait for a translator, and the first few of them."""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.pofile import read_po

path = Path(sys.argv[1])
with path.open("rb") as file:
    catalog = read_po(file)
waiting = [message for message in catalog if message.id and not message.string]
sys.stdout.write(f"{path}: {len(catalog)} sentences, {len(waiting)} to translate\n")
for message in waiting[:5]:
    sys.stdout.write(f"    {message.id}\n")
