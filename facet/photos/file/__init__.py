"""One photo file: reading, writing, formats, metadata, colour, content credentials."""
