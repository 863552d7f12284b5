"""What a diagnosis's own words say when no code tells it: a cancer, a spread, a doubt, one of the past, none (MC-01).

A word of cancer alone is no cancer: it stands in risks, fears, side effects, lab tests and relatives' illnesses too.
"""

from __future__ import annotations

import re

_SITES: tuple[tuple[str, str], ...] = (
    (r"acute lympho(blastic|cytic) leuk", "all"), (r"chronic lympho(cytic|id|blastic) leuk", "cll"),
    (r"acute myel\w+ leuk", "aml"), (r"chronic myel\w+ leuk", "cml"), (r"leuk[a]?emia", "leukemia"),
    (r"hodgkin", "hodgkin"), (r"lymphoma", "lymphoma"), (r"myeloma", "myeloma"), (r"mesothelioma", "mesothelioma"),
    (r"melanoma", "melanoma"), (r"breast|mammary|mama\b", "breast"), (r"lung|bronch|pulm", "lung"),
    (r"rectum|rectal\b|rectosig", "rectum"), (r"colon|colorectal|cecum|sigmoid", "colon"),
    (r"prostat|próstata", "prostate"), (r"pancrea|páncreas", "pancreas"), (r"stomach|gastric", "stomach"),
    (r"esophag", "esophagus"), (r"liver|hepat", "liver"), (r"gallbladder|bile duct|cholangio", "bile"),
    (r"small (bowel|intestine)|duoden", "small-bowel"), (r"\banus|\banal\b", "anus"), (r"kidney|renal", "kidney"),
    (r"bladder|urothel", "bladder"), (r"ovar|fallopian", "ovary"), (r"cervi(x|cal) ?(uteri|cancer)?", "cervix"),
    (r"endometri|uter|womb", "uterus"), (r"vulva|vagin", "vulva"), (r"test(is|icular|icle)", "testis"),
    (r"penis|penile", "penis"), (r"thyroid", "thyroid"), (r"brain|glio|central nervous|spinal cord|mening", "brain"),
    (r"retinoblastoma|\beye\b|\buveal\b", "eye"),
    (r"larynx|pharyn|tongue|oral|mouth|tonsil|head and neck", "head-neck"),
    (r"osteosarcoma|ewing|bone", "bone"), (r"sarcoma|soft tissue", "soft-tissue"), (r"skin|basal cell", "skin"),
    (r"lymph nodes?", "lymph-nodes"), (r"pleura", "pleura"), (r"peritone", "belly"), (r"adrenal", "adrenal"),
)  # fmt: skip

_CANCER = re.compile(
    r"c[aá]ncer|malignan|carcinom|leuk[a]?emia|lymphoma|myeloma|melanoma|sarcoma|mesothelioma|blastoma|glioma|"
    r"tumor maligno|neoplasia maligna"
)
_CA = re.compile(r"\bca\b")  # "Breast CA"; without a place it may be calcium
_SPREAD = re.compile(r"metasta|secondary malign|secondary cancer|secondary neoplasm|secondaries")
_NO_SPREAD = re.compile(
    r"\b(non|no|not|without|negative for|absence of|free of)[ -]*((known|evidence of|distant|any) )*metasta\w*|"
    r"nonmetasta\w*|metasta\w+ (absent|not found|negative)"
)
_NOT_MEANT = re.compile(
    r"(cancer|neoplas\w+|tumou?r|malignan\w+)[ -](related|associated|induced)|"
    r"cancer (antigen|ag|marker)[ \d.-]*|\bca[ -]?\d[\d.-]*|"
    r"malignant (essential |secondary )?(hypert\w+|neuroleptic|otitis|(pleural |pericardial )?effusion|ascites)|"
    r"cancer (pain|fatigue|cachexia|anxiety|distress|education|support|gene|genetic)|"
    r"of (malignancy|malignant disease)|(non|pre)-?(cancer|malignan)\w*"
)
_OTHER_CAUSE = re.compile(
    r"\b(due to|secondary to|caused by|following|after|complicating|associated with|related to|status post|s/p)\b.*"
)
_NO_CANCER = re.compile(
    r"screening|encounter for|benign|no (sign|evidence)|(negative|free) (for|of)|absence of|cancer[- ]free|"
    r"\b(no|not|without) (known |any )?(cancer|malig)|susceptib|predispos|\bhereditary\b|lynch|cancer syndrome|"
    r"mutation carrier|carrier of|"
    r"risk (of|for)|at risk|cancer risk(?! (group|strat|categ|level|score))|riesgo|tamizaje|"
    r"fear|afraid|worr|anxi|concern about"
)
_OF_THE_FAMILY = re.compile(
    r"family|familiar|\bfhx?\b|\b(grand)?(mother|father|parent|son|daughter)s?\b|"
    r"\b(sister|brother|sibling|aunt|uncle|cousin|relative)s?\b"
)
_BEFORE = re.compile(r"history of|history:|\bhx\b|\bh/o\b|survivor|antecedente|\bprevious|\bprior (?!to)|\bpast\b")
_IN_DOUBT = re.compile(
    r"suspect|suspicio|sospech|concern (for|of)|rule out|ruling out|\br/o\b|possib|probabl|question|"
    r"cannot exclude|not excluded"
)


def site_in(words: str) -> str | None:
    """The site key that lower-case words name, None when none."""
    return next((site for pattern, site in _SITES if re.search(pattern, words)), None)


def cancer_in(words: str) -> tuple[str, str] | None:
    """What lower-case words say somebody has, as (`primary`, `in-situ` or `secondary`, site key); None for no cancer,
    and for what is only feared, suspected, inherited, somebody else's or of the past."""
    if _OF_THE_FAMILY.search(words) or _BEFORE.search(words) or _IN_DOUBT.search(words):
        return None
    return _named_in(words)


def doubt_in(words: str) -> bool:
    """Whether lower-case words tell a cancer that somebody may have and that nobody has found yet."""
    return bool(_IN_DOUBT.search(words)) and not _OF_THE_FAMILY.search(words) and _named_in(words) is not None


def past_in(words: str) -> bool:
    """Whether lower-case words tell a cancer that somebody had: "history of breast cancer"."""
    return bool(_BEFORE.search(words)) and not _OF_THE_FAMILY.search(words) and _named_in(words) is not None


def _named_in(words: str) -> tuple[str, str] | None:
    spread = bool(_SPREAD.search(_NO_SPREAD.sub(" ", words)))
    told = _NOT_MEANT.sub(" ", _OTHER_CAUSE.sub("", _NO_SPREAD.sub(" ", words)))
    if _NO_CANCER.search(told):
        return None
    if spread:
        return "secondary", site_in(re.sub(r"from .*", "", told)) or "unknown"
    if not _CANCER.search(told) and not (_CA.search(told) and site_in(told)):
        return None
    return "in-situ" if "in situ" in told or "dcis" in told else "primary", site_in(told) or "unknown"
