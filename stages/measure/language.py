"""Which language a text is in: a caption, or what stands in a picture."""

import regex

from stages.synthesize.words.languages import identifier

# A run of letters and digits is a word; where words are not parted by spaces, a character is.
_WORDS = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]\p{M}*|[\p{L}\p{N}][\p{L}\p{M}\p{N}'’-]*"
)
_QUOTED = regex.compile(r"“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|『[^』]*』|\"[^\"]*\"|(?<!\w)‘[^’]*’(?!\w)")
_LETTER = regex.compile(r"\p{L}")
_SCRIPT = {
    "ja": regex.compile(r"[\p{Hiragana}\p{Katakana}]"),
    "ko": regex.compile(r"\p{Hangul}"),
    "zh": regex.compile(r"\p{Han}"),
    "th": regex.compile(r"\p{Thai}"),
    "he": regex.compile(r"\p{Hebrew}"),
    "el": regex.compile(r"\p{Greek}"),
    "bn": regex.compile(r"\p{Bengali}"),
    "ta": regex.compile(r"\p{Tamil}"),
}
_SHARE = 0.3  # of the letters that a script must have to tell the language; Japanese has as much kana at least
_TELLING = 20  # letters: the language of a shorter text in a script that many share is not told
_SURE = 0.8  # the identifier's probability of a language that is believed


def unquoted(text: str) -> str:
    """A text without what stands in quotation marks, on one line."""
    return " ".join(_QUOTED.sub(" ", text).split())


def words_of(text: str) -> list[str]:
    """The words of a text in small letters; where a script does not part them, its characters."""
    return _WORDS.findall(text.lower())


def language_of(text: str) -> str | None:
    """ISO 639-1, by the script where it tells, by py3langid otherwise; null where a text is too short to say."""
    letters = len(_LETTER.findall(text))
    if not letters:
        return None
    for language, script in _SCRIPT.items():
        if len(script.findall(text)) >= _SHARE * letters:
            return language
    if letters < _TELLING:
        return None
    language, probability = identifier().classify(text)
    return language if probability >= _SURE else None


def split_of(text: str, found: bool) -> str:
    """The report's split of a picture by what is written in it: `en`, `zh`, `other` or `none`. `found`: whether there
    are lines at all; those that could not be read are in another script. Latin words too few to tell pass for English
    when they have no accents."""
    if not found:
        return "none"
    language = language_of(text)
    if language is None and text.isascii() and _LETTER.search(text):
        return "en"
    return language if language in ("en", "zh") else "other"
