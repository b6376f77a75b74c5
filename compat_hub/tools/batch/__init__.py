"""A signature run on files: images, arrays, texts, CSV and JSON lines, in batches."""
