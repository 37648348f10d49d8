"""Edit a folder of photos as one job: listing, shards, journals, manifest, contact sheet."""
