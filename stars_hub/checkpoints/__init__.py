"""Model folders and Hub repositories: found, read, written, strict and whole."""
