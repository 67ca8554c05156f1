# ruff: noqa: RUF001 - Turkish has a dotless i
"""Telling a tweet's language: how much English is read, how much else is mistaken for it, how fast, in what memory.

    .venv/bin/python benchmarks/languages.py TEXTS [TEXTS ...]

TEXTS are files of English tweets: a text a line, or a CSV whose last column is the text (Sentiment140's). The tweets in
other languages stand below; they were made for this. py3langid is measured with all its languages and with those that
X tells, lingua (`pip install lingua-language-detector`, if it is there) with the latter in both its accuracies. Each
way runs in a process of its own. "Read" is what `sentiment.languages` takes to be English by its rule.

The last line is one JSON object.
"""

import csv
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from tweet_profiles.sentiment.languages import LANGUAGES, MIN_RATIO
from tweet_profiles.sentiment.text import words

WAYS = ("py3langid, X's languages", "py3langid, all languages", "lingua, low accuracy", "lingua, high accuracy")

OTHERS: dict[str, tuple[str, ...]] = {
    "es": (
        "me encanta este café, es lo mejor de la mañana",
        "no puedo creer que hayan subido el precio otra vez",
        "alguien sabe si la tienda abre hoy?",
        "que rico desayuno!!",
        "el servicio fue pésimo, no vuelvo nunca más",
        "gracias por la ayuda, son unos genios",
        "jajaja me muero con este video",
        "mañana salimos temprano para la playa",
        "otra vez sin señal en mi casa",
        "el nuevo modelo es una maravilla",
        "por qué tarda tanto el pedido",
        "feliz cumpleaños amiga",
    ),
    "fr": (
        "j'adore ce café, c'est le meilleur",
        "encore une panne ce matin, j'en ai marre",
        "merci pour votre aide",
        "le service client ne répond jamais",
        "trop bien le concert hier soir",
        "on se retrouve demain à la gare",
        "quelqu'un a essayé le nouveau modèle ?",
        "c'est n'importe quoi ces prix",
        "bon anniversaire mon pote",
        "je suis trop fatigué pour sortir",
        "il pleut encore à Lyon",
        "vivement les vacances",
    ),
    "de": (
        "ich liebe diesen Kaffee, der beste am Morgen",
        "schon wieder eine Störung, es nervt",
        "danke für die schnelle Hilfe",
        "der Kundendienst meldet sich nie",
        "das Konzert gestern war der Hammer",
        "wir sehen uns morgen am Bahnhof",
        "hat jemand das neue Modell ausprobiert?",
        "die Preise sind eine Frechheit",
        "alles Gute zum Geburtstag",
        "ich bin zu müde zum Ausgehen",
        "es regnet immer noch in Köln",
        "endlich Wochenende",
    ),
    "pt": (
        "eu amo esse café, é o melhor da manhã",
        "de novo sem internet, que raiva",
        "obrigado pela ajuda",
        "o atendimento não responde nunca",
        "o show de ontem foi incrível",
        "a gente se vê amanhã na estação",
        "alguém já testou o modelo novo?",
        "esses preços são um absurdo",
        "feliz aniversário amigo",
        "tô cansado demais pra sair",
        "kkkkk morri com esse vídeo",
        "finalmente sexta-feira",
    ),
    "it": (
        "adoro questo caffè, è il migliore",
        "di nuovo senza rete, che rabbia",
        "grazie per l'aiuto",
        "il servizio clienti non risponde mai",
        "il concerto di ieri è stato bellissimo",
        "ci vediamo domani in stazione",
        "qualcuno ha provato il nuovo modello?",
        "questi prezzi sono assurdi",
        "buon compleanno amico",
        "sono troppo stanco per uscire",
    ),
    "tr": (
        "bu kahveye bayılıyorum, en iyisi",
        "yine internet yok, bıktım artık",
        "yardımınız için teşekkürler",
        "müşteri hizmetleri asla cevap vermiyor",
        "dünkü konser harikaydı",
        "yarın istasyonda görüşürüz",
        "yeni modeli deneyen var mı?",
        "bu fiyatlar çok saçma",
        "doğum günün kutlu olsun",
        "dışarı çıkmak için çok yorgunum",
        "sonunda hafta sonu geldi",
        "siparişim hala gelmedi",
    ),
    "id": (
        "aku suka banget kopi ini, paling enak",
        "internet mati lagi, kesel banget",
        "terima kasih atas bantuannya",
        "layanan pelanggan tidak pernah jawab",
        "konser kemarin keren sekali",
        "sampai jumpa besok di stasiun",
        "ada yang sudah coba model baru?",
        "harganya tidak masuk akal",
        "selamat ulang tahun ya",
        "aku terlalu capek buat keluar",
        "akhirnya libur juga",
        "pesanan saya belum datang",
    ),
    "nl": (
        "ik hou van deze koffie, de beste",
        "alweer een storing, ik ben er klaar mee",
        "bedankt voor de snelle hulp",
        "de klantenservice antwoordt nooit",
        "het concert gisteren was geweldig",
        "tot morgen op het station",
        "heeft iemand het nieuwe model geprobeerd?",
        "deze prijzen slaan nergens op",
        "gefeliciteerd met je verjaardag",
        "eindelijk weekend",
    ),
    "pl": (
        "uwielbiam tę kawę, jest najlepsza",
        "znowu nie ma internetu, mam dość",
        "dziękuję za pomoc",
        "obsługa klienta nigdy nie odpowiada",
        "wczorajszy koncert był świetny",
        "do zobaczenia jutro na dworcu",
        "ktoś próbował nowy model?",
        "te ceny to jakiś żart",
        "wszystkiego najlepszego",
        "wreszcie weekend",
    ),
    "sv": (
        "jag älskar det här kaffet, det bästa",
        "strömavbrott igen, jag orkar inte",
        "tack för hjälpen",
        "kundtjänst svarar aldrig",
        "konserten igår var fantastisk",
        "vi ses imorgon på stationen",
        "har någon testat den nya modellen?",
        "priserna är helt galna",
        "grattis på födelsedagen",
        "äntligen helg",
    ),
    "tl": (
        "gustong gusto ko ang kapeng ito",
        "wala na namang internet, nakakainis",
        "salamat sa tulong",
        "hindi sumasagot ang customer service",
        "ang saya ng concert kahapon",
        "kita tayo bukas sa istasyon",
        "ang mahal ng presyo",
        "maligayang kaarawan",
        "pagod na ako para lumabas",
        "sa wakas bakasyon na",
    ),
    "ja": (
        "このコーヒーが大好き",
        "またネットが落ちた、もう嫌だ",
        "助けてくれてありがとう",
        "昨日のライブ最高だった",
        "値段が高すぎる",
    ),
    "ar": (
        "أحب هذه القهوة كثيرا",
        "انقطع الانترنت مرة أخرى",
        "شكرا على المساعدة",
        "خدمة العملاء لا ترد أبدا",
        "الأسعار مرتفعة جدا",
    ),
    "hi": (
        "मुझे यह कॉफी बहुत पसंद है",
        "फिर से इंटरनेट बंद है",
        "मदद के लिए धन्यवाद",
        "कल का कॉन्सर्ट शानदार था",
        "दाम बहुत ज़्यादा हैं",
    ),
    "ru": (
        "обожаю этот кофе, лучший",
        "опять нет интернета, надоело",
        "спасибо за помощь",
        "вчерашний концерт был супер",
        "цены просто безумные",
    ),
    "ko": (
        "이 커피 정말 좋아해요",
        "또 인터넷이 끊겼어",
        "도와줘서 고마워요",
        "어제 콘서트 최고였어",
        "가격이 너무 비싸다",
    ),
}

LATIN = frozenset(OTHERS) - {"ja", "ar", "hi", "ru", "ko"}
"""Those whose letters do not tell them."""

Confidences = Callable[[str], dict[str, float]]


def confidences(way: str) -> Confidences:
    """What a way gives each language of a text."""
    if way.startswith("py3langid"):
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
        if "X's" in way:
            identifier.set_languages(LANGUAGES.split())
        return lambda text: dict(identifier.rank(text))
    from lingua import IsoCode639_1, LanguageDetectorBuilder

    known = [code for name in LANGUAGES.split() if (code := getattr(IsoCode639_1, name.upper(), None)) is not None]
    builder = LanguageDetectorBuilder.from_iso_codes_639_1(*known)
    detector = (builder.with_low_accuracy_mode() if "low" in way else builder).build()
    return lambda text: {
        value.language.iso_code_639_1.name.lower(): value.value
        for value in detector.compute_language_confidence_values(text)
    }


def texts_of(path: Path) -> list[str]:
    """The tweets of a file."""
    if path.suffix == ".csv":
        with path.open(encoding="latin-1", newline="") as file:
            return [row[-1] for row in csv.reader(file) if row]
    return path.read_text(encoding="utf-8").splitlines()


def is_read(found: dict[str, float]) -> bool:
    """Whether a text is taken to be English."""
    return found.get("en", 0.0) >= MIN_RATIO * max(found.values(), default=0.0)


def measure(way: str, paths: list[Path]) -> dict[str, float]:
    """One way, in this process."""
    english = [own for path in paths for text in texts_of(path) if (own := words(text))]
    others = [(language, words(text)) for language, texts in OTHERS.items() for text in texts]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tell = confidences(way)
    for text in english[:100]:
        tell(text)
    start = time.perf_counter()
    found = [tell(text) for text in english]
    seconds = time.perf_counter() - start
    foreign = [(language, tell(text)) for language, text in others]
    return {
        "english_texts": len(english),
        "english_read": round(sum(map(is_read, found)) / len(found), 4),
        **{
            f"{name}_read_of_first_{count}": _share_read(tell, texts, count)
            for name, texts in (
                ("english", english),
                ("others", [text for language, text in others if language in LATIN]),
            )
            for count in (2, 3)
        },
        "other_texts": len(foreign),
        "others_read": round(sum(is_read(one) for _, one in foreign) / len(foreign), 4),
        "others_named_right": round(
            sum(max(one, key=lambda name: one[name]) == language for language, one in foreign) / len(foreign), 4
        ),
        "ms_a_text": round(1000 * seconds / len(english), 3),
        "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
    }


def _share_read(tell: Confidences, texts: list[str], count: int) -> float:
    """Of the different beginnings of so many words that hold a letter."""
    beginnings = {" ".join(text.split()[:count]) for text in texts}
    read = [is_read(tell(text)) for text in beginnings if any(map(str.isalpha, text))]
    return round(sum(read) / len(read), 4)


def main() -> None:
    """Measure each way and print."""
    if sys.argv[1:2] == ["--way"]:
        print(json.dumps(measure(sys.argv[2], [Path(name) for name in sys.argv[3:]])))
        return
    figures = {}
    for way in WAYS:
        if way.startswith("lingua") and find_spec("lingua") is None:
            continue
        done = subprocess.run(
            [sys.executable, __file__, "--way", way, *sys.argv[1:]], check=True, capture_output=True, text=True
        )
        figures[way] = json.loads(done.stdout.splitlines()[-1])
        print(f"{way:28} {figures[way]}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
