"""What fills the slots of a template: names, dates, prices, buttons, chat messages and more, in 23 languages.

People's names and some jobs, cities and streets are from `faker`; dates, numbers, prices and countries are written as
CLDR has it, by `babel`; the rest stands in `lists.toml`, written by hand. Where faker has nothing in a language it
falls back to English, so only what it is known to have is asked of it: a text is never in another language's script.
Emails, addresses of sites and user names are in Latin letters everywhere, as they are in use.

The texts of a kind in a language are drawn once, from a fixed seed, and then chosen from: some microseconds a text.
"""

import tomllib
import unicodedata
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import babel
import numpy as np
from babel import dates, numbers, units
from faker import Faker
from fontTools.unicodedata import script

from dataengine.config import suggest
from dataengine.errors import SampleError, StageError
from stages.synthesize.words import digits

# What the labels and terms of `lists.toml` are, in their order: `email_label` is the first label of a language.
_NAMED = {
    "label": (
        "email", "password", "first_name", "last_name", "phone", "search", "language", "country", "birth", "quantity",
        "total", "shipping", "address", "comments", "notifications", "dark_mode", "username", "payment",
    ),
    "term": (
        "invoice", "receipt", "date", "item", "price", "subtotal", "tax", "time", "destination", "platform", "gate",
        "seat", "name", "city", "company", "departure",
    ),
}  # fmt: skip
_LABELS = {f"{name}_label": (kind, place) for kind, names in _NAMED.items() for place, name in enumerate(names)}
LISTED = frozenset({"button", "menu", "label", "product", "dish", "tagline", "question", "message", "brand"})
LATIN = frozenset({"email", "url", "username"})

_POOL = 1000  # texts drawn of a kind in a language
_DRAWS = 8  # until one is short enough
_MINIMUM, _MAXIMUM = datetime(2015, 1, 1), datetime(2032, 1, 1)


@dataclass(frozen=True, slots=True)
class _Region:
    """Whose names, formats and money stand for a language."""

    faker: str
    babel: str
    currency: str
    rate: int  # of its units to one of a large currency: prices are of a usual size
    domain: str
    era: int = 0  # years that its calendar is ahead


_REGIONS = {
    "ar": _Region("ar_AA", "ar_SA", "SAR", 4, "sa"),
    "bn": _Region("bn_BD", "bn_BD", "BDT", 120, "com.bd"),
    "de": _Region("de_DE", "de_DE", "EUR", 1, "de"),
    "el": _Region("el_GR", "el_GR", "EUR", 1, "gr"),
    "en": _Region("en_US", "en_US", "USD", 1, "com"),
    "es": _Region("es_ES", "es_ES", "EUR", 1, "es"),
    "fa": _Region("fa_IR", "fa_IR", "IRR", 100_000, "ir"),
    "fr": _Region("fr_FR", "fr_FR", "EUR", 1, "fr"),
    "he": _Region("he_IL", "he_IL", "ILS", 4, "co.il"),
    "hi": _Region("hi_IN", "hi_IN", "INR", 80, "in"),
    "it": _Region("it_IT", "it_IT", "EUR", 1, "it"),
    "ja": _Region("ja_JP", "ja_JP", "JPY", 150, "jp"),
    "ko": _Region("ko_KR", "ko_KR", "KRW", 1000, "co.kr"),
    "pl": _Region("pl_PL", "pl_PL", "PLN", 4, "pl"),
    "pt": _Region("pt_BR", "pt_BR", "BRL", 5, "com.br"),
    "ru": _Region("ru_RU", "ru_RU", "RUB", 90, "ru"),
    "ta": _Region("ta_IN", "ta_IN", "INR", 80, "in"),
    "th": _Region("th_TH", "th_TH", "THB", 35, "co.th", era=543),
    "tr": _Region("tr_TR", "tr_TR", "TRY", 30, "com.tr"),
    "uk": _Region("uk_UA", "uk_UA", "UAH", 40, "com.ua"),
    "vi": _Region("vi_VN", "vi_VN", "VND", 20_000, "vn"),
    "zh-Hans": _Region("zh_CN", "zh_Hans_CN", "CNY", 7, "cn"),
    "zh-Hant": _Region("zh_TW", "zh_Hant_TW", "TWD", 30, "com.tw"),
}
LANGUAGES = frozenset(_REGIONS)

# Where faker's own lists are good; elsewhere they are missing, in English, invented or ungrammatical.
_FAKED = {
    "job": ("job", {"ar", "de", "el", "fa", "fr", "ja", "pl", "ru", "th", "tr", "uk", "zh-Hant"}),
    "city": ("city", {"bn", "de", "el", "es", "it", "ja", "pl", "th"}),
    "street": ("street_name", {"de", "el", "es", "it", "th"}),
}
_BRANDED = {"ko", "ta", "th", "vi", "zh-Hans", "zh-Hant"}  # where companies are seldom called after a family
_LONGEST_FAKED = 28  # characters: titles of civil servants are longer
_FAMILY_FIRST = {"ja": " ", "ko": "", "vi": " ", "zh-Hans": "", "zh-Hant": ""}

_INFLECTED = frozenset({"el", "pl", "ru", "uk"})  # languages whose months are declined in a date
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u202f\u2009", " "))  # many fonts lack the narrow one
_MARKS = str.maketrans(dict.fromkeys("\u200e\u200f\u061c\u202a\u202b\u202c\u2066\u2067\u2068\u2069\u00ad"))
_VOWELS = str.maketrans(dict.fromkeys(map(chr, range(0x64B, 0x653))))  # of Arabic: pointed here and there only
_PERSIAN = str.maketrans("يك", "یک")
_PLAIN = str.maketrans({"ß": "ss", "ł": "l", "đ": "d", "ı": "i", "ø": "o", "æ": "ae", "œ": "oe"})
_SITES = ("studio", "shop", "lab", "cafe", "online", "media", "home", "design", "market", "travel", "foto", "art")
_PAGES = ("shop", "blog", "menu", "news", "info", "sale", "team", "help")


def fill(kind: str, language: str, longest: int, rng: np.random.Generator) -> str:
    """A text of a kind in a language, of `longest` characters at most.

    One that is too long is drawn again, and in the end the shortest is taken, so that a narrow slot is filled too.
    """
    pool, shortest = _pool(kind, language)
    for _ in range(_DRAWS):
        text = pool[rng.integers(len(pool))]
        if len(text) <= longest:
            return text
    if len(shortest) > longest and kind not in _LABELS:  # which can be said in one way only
        raise SampleError(
            f"no {kind} in {language!r} has {longest} characters or fewer", f"Allow {len(shortest)} characters."
        )
    return shortest


@cache
def _pool(kind: str, language: str) -> tuple[tuple[str, ...], str]:
    """The texts of a kind in a language, and the shortest of them."""
    if kind not in KINDS:
        raise StageError(f"unknown kind of text {kind!r}{suggest(kind, sorted(KINDS))}", f"Use one of {_known(KINDS)}.")
    if language not in _REGIONS:
        meant = suggest(language, sorted(LANGUAGES))
        raise StageError(f"no {kind} is known in {language!r}{meant}", f"use one of {_known(LANGUAGES)}")
    if kind in LISTED:
        texts = _lists(language)[kind]
    elif kind in _LABELS:
        listed, place = _LABELS[kind]
        texts = (_lists(language)[listed][place],)
    else:
        rng = np.random.default_rng(zlib.crc32(f"{kind} {language}".encode()))
        drawn = dict.fromkeys(_clean(_MAKERS[kind](language, rng), language) for _ in range(_POOL))
        if kind in LATIN:
            texts = tuple(drawn)
        else:
            own = (x for x in drawn if kind == "temperature" or _own(x, language))
            texts = tuple(digits.localized(x, language) for x in own)
    return texts, min(texts, key=len)


def _known(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))


@cache
def _all_lists() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(files(__package__).joinpath("lists.toml").read_text(encoding="utf-8"))


@cache
def _lists(language: str) -> dict[str, tuple[str, ...]]:
    """What is written by hand in a language."""
    return {kind: tuple(texts) for kind, texts in _all_lists()[language].items()}


@cache
def _scripts(language: str) -> frozenset[str]:
    """The scripts that a language is written in: those of its own lists, and what is common to all."""
    return frozenset({script(c) for kind in LISTED for x in _lists(language)[kind] for c in x} | {"Zyyy", "Zinh"})


def _own(text: str, language: str) -> bool:
    """Whether a text is in the language's script, and starts as a text may start."""
    return not unicodedata.category(text[0]).startswith("M") and all(script(c) in _scripts(language) for c in text)


def _clean(text: str, language: str) -> str:
    """A text as it is typed: composed, with plain spaces, without invisible marks."""
    text = unicodedata.normalize("NFC", text.translate(_MARKS).translate(_SPACES))
    if language in ("ar", "fa"):
        text = text.translate(_VOWELS)
    if language == "fa":
        text = text.translate(_PERSIAN)
    return " ".join(text.split())


def _pick(texts: tuple[str, ...], rng: np.random.Generator) -> str:
    return texts[rng.integers(len(texts))]


def _digits(pattern: str, rng: np.random.Generator) -> str:
    """A pattern with a digit for each `#`; no number starts with a nought."""
    made = ""
    for c in pattern:
        made += str(rng.integers(0 if made[-1:].isdigit() else 1, 10)) if c == "#" else c
    return made


# --- People and places


@cache
def _faker(language: str) -> Faker:
    made = Faker(_REGIONS[language].faker)
    for provider in made.get_providers():
        if isinstance(getattr(provider, "cities", None), list):  # Italy's come out of a set: each process has its order
            provider.cities = sorted(provider.cities)
    made.seed_instance(1)
    return made


@cache
def _faked(provider: str, language: str) -> tuple[str, ...]:
    """The different texts of one of faker's providers. From a seed of its own: the order of the asking is no matter."""
    fake = _faker(language)
    fake.seed_instance(1)
    drawn = (_clean(str(getattr(fake, provider)()), language) for _ in range(_POOL))
    return tuple(dict.fromkeys(x for x in drawn if x and len(x) <= _LONGEST_FAKED and _own(x, language)))


@cache
def _people(part: str, gender: str, language: str) -> tuple[str, ...]:
    """First names or surnames: by hand where faker's are poor."""
    by_hand = _lists(language).get(f"{part}_{gender}") or _lists(language).get(part)
    return by_hand or _faked(f"{part}_{gender}", language)


def _gender(rng: np.random.Generator) -> str:
    return ("female", "male")[rng.integers(2)]


def _first_name(language: str, rng: np.random.Generator) -> str:
    return _pick(_people("first_name", _gender(rng), language), rng)


def _surname(language: str, rng: np.random.Generator) -> str:
    return _pick(_people("last_name", "male", language), rng)


def _name(language: str, rng: np.random.Generator) -> str:
    gender = _gender(rng)
    first = _pick(_people("first_name", gender, language), rng)
    last = _pick(_people("last_name", gender, language), rng)
    return f"{last}{_FAMILY_FIRST[language]}{first}" if language in _FAMILY_FIRST else f"{first} {last}"


def _company(language: str, rng: np.random.Generator) -> str:
    name = _pick(_lists(language)["brand"], rng) if language in _BRANDED else _surname(language, rng)
    return _pick(_lists(language)["company"], rng).replace("{}", name)


def _place(kind: str) -> Callable[[str, np.random.Generator], str]:
    """By hand, and from faker where it is good, half and half."""

    def made(language: str, rng: np.random.Generator) -> str:
        provider, languages = _FAKED[kind]
        faked = language in languages and rng.random() < 0.5
        return _pick(_faked(provider, language) if faked else _lists(language)[kind], rng)

    return made


def _street(language: str, rng: np.random.Generator) -> str:
    pattern = _digits(_pick(_lists(language)["address"], rng), rng)
    return pattern.replace("{}", _place("street")(language, rng))


def _country(language: str, rng: np.random.Generator) -> str:
    return _pick(_countries(language), rng)


@cache
def _countries(language: str) -> tuple[str, ...]:
    """Those at home in a time zone: no continents, no groups of countries, and nothing unknown."""
    names = _locale(language).territories
    known = dates.get_global("territory_zones").keys() & names.keys() - {"AQ", "ZZ"}
    codes = sorted(code for code in known if code.isalpha())
    return tuple(names[x] for x in codes)


def _phone(language: str, rng: np.random.Generator) -> str:
    return _digits(_pick(_lists(language)["phone"], rng), rng)


# --- The net, in Latin letters


def _handle(language: str, rng: np.random.Generator) -> str:
    """A word for a user or a site: by hand where names are not in Latin letters, else a name without its accents."""
    by_hand = _lists(language).get("latin")
    word = _pick(by_hand, rng) if by_hand else _pick(_people("last_name", _gender(rng), language), rng)
    bare = unicodedata.normalize("NFD", word.casefold().translate(_PLAIN))
    return "".join(c for c in bare if c.isascii() and c.isalnum())


def _domain(language: str, rng: np.random.Generator) -> str:
    word, site = _handle(language, rng), _pick(_SITES, rng)
    return f"{_pick((word, f'{word}-{site}', f'{word}{site}', f'{site}-{word}'), rng)}.{_REGIONS[language].domain}"


def _username(language: str, rng: np.random.Generator) -> str:
    word, other, number = _handle(language, rng), _handle(language, rng), rng.integers(1, 100)
    forms = f"{word}{number}", f"{word}_{number}", f"{word}.{other}", f"{word}_{other}", f"{word[0]}{other}"
    return _pick(forms, rng)


def _email(language: str, rng: np.random.Generator) -> str:
    user = _pick(("info", "hello", "contact", "office", _username(language, rng), _handle(language, rng)), rng)
    return f"{user}@{_domain(language, rng)}"


def _url(language: str, rng: np.random.Generator) -> str:
    domain = _domain(language, rng)
    return _pick((domain, f"www.{domain}", f"https://{domain}", f"{domain}/{_pick(_PAGES, rng)}"), rng)


# --- Dates and numbers, as CLDR writes them


@cache
def _locale(language: str) -> babel.Locale:
    return babel.Locale.parse(_REGIONS[language].babel)


def _moment(language: str, rng: np.random.Generator) -> datetime:
    year = int(rng.integers(2015, 2033)) + _REGIONS[language].era
    month, day, hour = (int(rng.integers(low, high)) for low, high in ((1, 13), (1, 29), (0, 24)))
    return datetime(year, month, day, hour, int(rng.integers(12)) * 5)


def _date(language: str, rng: np.random.Generator) -> str:
    style = _pick(("short", "medium", "long"), rng)
    return dates.format_date(_moment(language, rng), style, _locale(language)).replace("ค.ศ. ", "")


def _time(language: str, rng: np.random.Generator) -> str:
    """Of 24 hours, so that the times of a table are alike."""
    return dates.format_time(_moment(language, rng), "HH:mm", locale=_locale(language))


def _month(language: str, rng: np.random.Generator) -> str:
    # Elsewhere CLDR refers from one use to the other, and babel follows the reference into another language.
    use = "stand-alone" if language in _INFLECTED else "format"
    return dates.get_month_names("wide", use, _locale(language))[int(rng.integers(1, 13))]


def _weekday(language: str, rng: np.random.Generator) -> str:
    return dates.get_day_names("wide", "format", _locale(language))[int(rng.integers(7))]


def day(number: int, language: str) -> str:
    """The short name of a day of the week, the first one from 1: weeks begin as they do in the language's region."""
    locale = _locale(language)
    return dates.get_day_names("abbreviated", "format", locale)[(locale.first_week_day + number - 1) % 7]


def _year(language: str, rng: np.random.Generator) -> str:
    return str(rng.integers(1950, 2036) + _REGIONS[language].era)


def _system(language: str) -> str:
    return "default" if language in digits.NATIVE else "latn"


def _number(language: str, rng: np.random.Generator) -> str:
    value = int(10 ** rng.uniform(0.5, 6.5))
    value = value / 10 if rng.random() < 0.2 else value
    return numbers.format_decimal(value, locale=_locale(language), numbering_system=_system(language))


def _percent(language: str, rng: np.random.Generator) -> str:
    locale = _locale(language)
    value, pattern = int(rng.integers(1, 101)) / 100, locale.percent_formats[None].pattern
    if rng.random() < 0.2:
        value, pattern = value + int(rng.integers(1, 10)) / 1000, pattern.replace("0", "0.0")
    return numbers.format_percent(value, pattern, locale, numbering_system=_system(language))


def _price(language: str, rng: np.random.Generator) -> str:
    """With cents where a unit is worth some; else a round sum."""
    region, locale, value = _REGIONS[language], _locale(language), 10 ** rng.uniform(0.3, 2.9)
    pattern = locale.currency_formats["standard"].pattern
    if region.rate < 10:
        amount = int(value * region.rate) + _ENDINGS[rng.integers(len(_ENDINGS))]
    else:
        step = max(region.rate // 10, 5)
        amount, pattern = max(int(value * region.rate) // step, 1) * step, pattern.replace(".00", "")
    return numbers.format_currency(
        amount, region.currency, pattern, locale, currency_digits=False, numbering_system=_system(language)
    )


_ENDINGS = (0, 0.5, 0.9, 0.95, 0.99)


def _duration(language: str, rng: np.random.Generator) -> str:
    unit, most = (("minute", 60), ("hour", 24), ("day", 15), ("second", 60), ("week", 6))[rng.integers(5)]
    return _measure(int(rng.integers(1, most)), f"duration-{unit}", _pick(("short", "long"), rng), language)


def _temperature(language: str, rng: np.random.Generator) -> str:
    return _measure(int(rng.integers(0, 40)), "temperature-celsius", "short", language)


def _measure(value: int, unit: str, length: str, language: str) -> str:
    locale = _locale(language)
    written = units.format_unit(value, unit, length, locale=locale, numbering_system="latn")
    if unit in written or "deg" in written:  # this one of its plurals is missing: that of many is there
        written = units.format_unit(99, unit, length, locale=locale, numbering_system="latn").replace("99", str(value))
    return written


_MAKERS: dict[str, Callable[[str, np.random.Generator], str]] = {
    "name": _name,
    "first_name": _first_name,
    "company": _company,
    "job": _place("job"),
    "street": _street,
    "city": _place("city"),
    "country": _country,
    "phone": _phone,
    "email": _email,
    "url": _url,
    "username": _username,
    "date": _date,
    "time": _time,
    "month": _month,
    "weekday": _weekday,
    "year": _year,
    "price": _price,
    "number": _number,
    "percent": _percent,
    "duration": _duration,
    "temperature": _temperature,
}
KINDS = frozenset(_MAKERS) | LISTED | frozenset(_LABELS)
