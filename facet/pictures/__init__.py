"""Pictures as pixels: decoding, named crops, resizing, contact sheets, data URIs."""
