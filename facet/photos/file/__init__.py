"""One photo file: reading, writing, metadata, colours, content credentials."""
