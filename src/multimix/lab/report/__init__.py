"""From run folders to a table, a sentence and a page."""
