"""Numbers in the digits of a language, and with its percent sign."""

_DIGITS = {
    language: str.maketrans("0123456789%", signs)
    for language, signs in {"ar": "٠١٢٣٤٥٦٧٨٩٪", "bn": "০১২৩৪৫৬৭৮৯%", "fa": "۰۱۲۳۴۵۶۷۸۹٪"}.items()
}
NATIVE = frozenset(_DIGITS)  # languages that do not count with 0 to 9


def localized(text: str, language: str) -> str:
    """The text with its numbers in the language's digits."""
    return text.translate(_DIGITS[language]) if language in _DIGITS else text
