"""Where the words come from: corpora, passages of a wanted length, and what fills a template."""
