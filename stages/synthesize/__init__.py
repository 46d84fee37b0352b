"""Text sets: paragraphs composed into pictures with exact annotations."""
