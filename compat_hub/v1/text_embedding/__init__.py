"""Text modules made from a file of word vectors."""
