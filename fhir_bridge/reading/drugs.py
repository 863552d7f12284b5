"""Cancer medicines: what each is for, in plain words. Names are international nonproprietary names (lower case)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fhir_bridge.reading.shape import ATC, RXNORM, codings, concept_text, searchable
from vocabulary.phrase import Phrase, phrase


class DrugClass(StrEnum):
    CHEMO = "chemotherapy"
    HORMONE = "hormone-therapy"
    TARGETED = "targeted-therapy"
    IMMUNE = "immunotherapy"
    BONE = "bone-protection"
    SUPPORT = "support"


CLASS_WORDS: dict[DrugClass, Phrase] = {
    DrugClass.CHEMO: phrase("Chemotherapy"),
    DrugClass.HORMONE: phrase("Hormone treatment"),
    DrugClass.TARGETED: phrase("Targeted treatment"),
    DrugClass.IMMUNE: phrase("Immunotherapy"),
    DrugClass.BONE: phrase("Medicine to protect the bones"),
    DrugClass.SUPPORT: phrase("Medicine that supports treatment"),
}

_BY_CLASS: dict[DrugClass, str] = {
    DrugClass.CHEMO: """
        cisplatin carboplatin oxaliplatin paclitaxel docetaxel cabazitaxel eribulin ixabepilone doxorubicin epirubicin
        daunorubicin idarubicin mitoxantrone bleomycin dactinomycin mitomycin cyclophosphamide ifosfamide melphalan
        bendamustine busulfan chlorambucil carmustine lomustine temozolomide dacarbazine procarbazine streptozocin
        fluorouracil capecitabine gemcitabine cytarabine azacitidine decitabine fludarabine cladribine clofarabine
        pemetrexed methotrexate mercaptopurine thioguanine pralatrexate nelarabine trifluridine hydroxyurea
        vincristine vinblastine vinorelbine etoposide teniposide topotecan irinotecan trabectedin asparaginase
        pegaspargase arsenic tretinoin
    """,
    DrugClass.HORMONE: """
        tamoxifen toremifene raloxifene letrozole anastrozole exemestane fulvestrant elacestrant leuprolide leuprorelin
        goserelin triptorelin histrelin degarelix relugolix bicalutamide flutamide nilutamide enzalutamide apalutamide
        darolutamide abiraterone megestrol octreotide lanreotide
    """,
    DrugClass.TARGETED: """
        trastuzumab pertuzumab lapatinib neratinib tucatinib palbociclib ribociclib abemaciclib everolimus alpelisib
        capivasertib olaparib niraparib rucaparib talazoparib bevacizumab ramucirumab aflibercept cetuximab panitumumab
        erlotinib gefitinib afatinib osimertinib dacomitinib crizotinib alectinib brigatinib ceritinib lorlatinib
        sotorasib adagrasib selpercatinib capmatinib tepotinib imatinib dasatinib nilotinib bosutinib ponatinib
        sunitinib sorafenib pazopanib axitinib cabozantinib lenvatinib regorafenib vandetanib vemurafenib dabrafenib
        trametinib encorafenib binimetinib rituximab obinutuzumab ofatumumab ibrutinib acalabrutinib zanubrutinib
        venetoclax idelalisib bortezomib carfilzomib ixazomib lenalidomide thalidomide pomalidomide daratumumab
        elotuzumab isatuximab brentuximab polatuzumab sacituzumab enfortumab gemtuzumab inotuzumab midostaurin
        gilteritinib ruxolitinib vorinostat
    """,
    DrugClass.IMMUNE: """
        pembrolizumab nivolumab ipilimumab atezolizumab durvalumab avelumab cemiplimab dostarlimab tremelimumab
        blinatumomab aldesleukin teclistamab axicabtagene tisagenlecleucel lisocabtagene interferon
    """,
    DrugClass.BONE: "denosumab zoledronic pamidronate ibandronate",
    DrugClass.SUPPORT: """
        leucovorin levoleucovorin filgrastim pegfilgrastim ondansetron granisetron palonosetron aprepitant fosaprepitant
        epoetin darbepoetin mesna prednisone prednisolone dexamethasone prochlorperazine
    """,
}

CLASS_OF: dict[str, DrugClass] = {name: kind for kind, names in _BY_CLASS.items() for name in names.split()}

ONLY_WITH_A_REASON = frozenset(name for name in CLASS_OF if CLASS_OF[name] in (DrugClass.BONE, DrugClass.SUPPORT)) | {
    "methotrexate",
    "rituximab",
    "tretinoin",
    "raloxifene",
    "interferon",
    "everolimus",
    "bevacizumab",
    "aflibercept",
}
"""Not taken as a cancer treatment unless the entry itself says it is for the cancer."""

_RXNORM_INGREDIENTS = {
    "3002": "cyclophosphamide",
    "3639": "doxorubicin",
    "56946": "paclitaxel",
    "84857": "anastrozole",
    "2555": "cisplatin",
    "40048": "carboplatin",
    "72962": "docetaxel",
    "32592": "oxaliplatin",
    "10324": "tamoxifen",
    "72965": "letrozole",
    "258494": "exemestane",
    "224905": "trastuzumab",
    "121191": "rituximab",
    "253337": "bevacizumab",
    "583214": "paclitaxel",
    "1736854": "cisplatin",
}
"""For codes that come without a name. RxNorm ingredient concepts and two products of our own sandbox data."""

_ATC_PREFIXES = (("L02", DrugClass.HORMONE), ("L01F", DrugClass.TARGETED), ("L01E", DrugClass.TARGETED),
                 ("L01", DrugClass.CHEMO))  # fmt: skip

_WORD = re.compile(r"[a-z]{5,}")


@dataclass(frozen=True)
class Drug:
    """One medicine of a cancer treatment: its plain name and what kind it is."""

    name: str
    kind: DrugClass


def drugs_in(concept: Any) -> tuple[Drug, ...]:
    """The known cancer medicines that a medication concept names, in the order named; empty when none."""
    found: dict[str, Drug] = {}
    words = _WORD.findall(searchable(concept))
    words += [_RXNORM_INGREDIENTS.get(c.code, "") for c in codings(concept) if c.system == RXNORM]
    for word in words:
        if word in CLASS_OF:
            found.setdefault(word, Drug(word, CLASS_OF[word]))
    if not found:
        for coding in codings(concept):
            kind = next((k for prefix, k in _ATC_PREFIXES if coding.code.startswith(prefix)), None)
            if coding.system == ATC and kind is not None:
                name = coding.display.lower() or concept_text(concept)
                found.setdefault(name, Drug(name, kind))
    return tuple(found.values())
