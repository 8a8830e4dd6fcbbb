"""Invented people: names, companies, addresses and texts of many scripts, phone numbers reserved for fiction."""

# ruff: noqa: RUF001 - people of many scripts are the point

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


@dataclass(frozen=True)
class Locale:
    """What people of one place are called, where they live, and how they write their phone numbers (# is a digit)."""

    first: tuple[str, ...]
    middle: tuple[str, ...]
    last: tuple[str, ...]
    companies: tuple[str, ...]
    posts: tuple[str, ...]
    streets: tuple[str, ...]
    cities: tuple[tuple[str, str, str], ...]
    country: tuple[str, str]
    comments: tuple[str, ...]
    phones: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_BRITISH = ("+44 20 7946 0###", "+44 7700 900###", "020 7946 0###", "07700 900###", "0044 7700 900 ###")
_AMERICAN = ("+1 212 555 01##", "+1-303-555-01##", "(415) 555-01##", "1.617.555.01##", "+1 312 555 01## ext. 4#")
_RUSSIAN = ("+7 000 ###-##-##", "8 (000) ###-##-##", "7000#######", "+7(000)#######", "8 000 ### ## ## доб. 1#")

LOCALES = (
    Locale(
        _words("Ольга Ирина Глеб Тимур Анна Пётр Семён Алёна Юлия Фёдор"),
        _words("Егорович Павловна Игоревич Львовна"),
        _words("Ким Титов Серова Ёлкин Щукина Жданов Белых Цой Орлова Мухин"),
        ("ООО «Ромашка»", 'ИП Титов "Стройдвор"', "АО Северный ветер", "Кафе «У дома»", "ТОО Алатау Логистик"),
        _words("директор бухгалтер менеджер закупщик инженер"),
        ("ул. Садовая, 12", "пр-т Мира, д. 5, кв. 18", "пер. Тихий, 3/2"),
        (("Москва", "Московская область", "101000"), ("Казань", "Татарстан", "420000"), ("Алматы", "", "050000")),
        ("Россия", "RU"),
        ("Просил перезвонить после 18:00", "Клиент сомневается: «дорого»\nперезвонить в четверг", "[B]Срочно[/B]"),
        _RUSSIAN,
    ),
    Locale(
        _words("Olivia Noah Amelia Harry Isla Oscar Freya Arthur Zoë Seán"),
        _words("Jane Lee Mae Rhys"),
        ("O'Neill", "Smith-Jones", "Brown", "Taylor", "MacLeod", "Ward", "Bell", "Fox", "Nuñez", "de la Cruz"),
        ("Harbour & Sons Ltd", 'The "Blue" Kettle', "Fox\\Bell Partners", "Northgate Fittings", "Quill <Studio>"),
        ("Head of Purchasing", "Owner", "Office manager", "CTO", "Buyer, 2nd shift"),
        ("7 Hollow Ridge Alley", "221 Quay Street, Flat 4", "35 Mosinee Street"),
        (("London", "Greater London", "SW1A 0ZZ"), ("Cardiff", "Wales", "CF10 0ZZ"), ("Cork", "", "")),
        ("United Kingdom", "GB"),
        ('Wants a quote for 300 pcs; said "maybe" twice', "C:\\offers\\2026\\lead.txt", "Line one\r\nLine two\ttabbed"),
        (*_BRITISH, "+353 20 91# ####"),
    ),
    Locale(
        _words("Emma Liam Ava Mateo Harper Elijah Nora Wyatt Luna Theo"),
        _words("Ann J. Marie T."),
        _words("Garcia Nguyen Johnson Lopez Kowalski Park Reed Cooper Hayes Brooks"),
        ("Acme Invented Co.", "Desert Bloom LLC", "Plan B, Inc.", "50% Off Mattresses", "Null & Void Legal"),
        ("VP Sales", "Founder", "Assistant", "null", "N/A"),
        ("1200 Imaginary Ave, Suite 100", "PO Box 0", "99 Sample Blvd #3"),
        (("Springfield", "Ohio", "00000"), ("Denver", "CO", "00001"), ("Austin", "Texas", "")),
        ("United States", "US"),
        ("Call back next week 🙂", "price > 100 & < 200; 50% discount?", '{"json": [1, 2]}'),
        _AMERICAN,
    ),
    Locale(
        _words("Jürgen Anneliese Björn Käthe Lukas Mia Sören Ute Jonas Zoé"),
        _words("Maria Karl Anna Otto"),
        ("Müller", "Groß", "von der Heide", "Jäger", "Köhler", "Weiß", "Lang", "Öztürk", "Strauß", "Bär"),
        ("Bäckerei Groß GmbH", "Müller & Söhne KG", "Fahrrad-Ärzte e. V.", "Lichtwerk AG"),
        ("Geschäftsführer", "Einkäuferin", "Büroleitung", "Lehrling"),
        ("Beispielstraße 9", "Am Grünen Weg 14 b", "Hauptstr. 1"),
        (("Köln", "Nordrhein-Westfalen", "50667"), ("München", "Bayern", "80331"), ("Zürich", "", "8001")),
        ("Deutschland", "DE"),
        ("Rückruf erbeten – „möglichst früh“", "Möchte 10 % Rabatt; zahlt in €"),
        ("+49 30 23125 ###", "030 23125-###", "0049 30 23125###"),
    ),
    Locale(
        _words("Élodie Chloé François Noémie Théo Inès Hélène Loïc Anaïs Rémi"),
        _words("Marie Luc Anne Paul"),
        ("Lefèvre", "D'Alembert", "Béranger", "Garçon", "Nöel", "Fournier", "Dupré", "Le Goff", "Guérin", "Roux"),
        ("Pâtisserie Cœur", "L'Atelier d'Inès SARL", "Société Générique", "Vélo & Cie"),
        ("gérante", "chargé d'achats", "comptable", "stagiaire"),
        ("12 rue de l'Exemple", "3 bis, allée des Tilleuls", "1 place Imaginaire"),
        (("Lyon", "Auvergne-Rhône-Alpes", "69000"), ("Orléans", "", "45000"), ("Nîmes", "Occitanie", "30000")),
        ("France", "FR"),
        ("Rappeler « avant midi »", "Très intéressée — envoyer le devis…"),
        ("+33 1 99 00 ## ##", "01 99 00 ## ##", "0033 1 99 00 ## ##"),
    ),
    Locale(
        _words("Ελένη Γιώργος Μαρία Νίκος Σοφία Ανδρέας Άννα Κώστας"),
        _words("Π. Κ. Ι. Γ."),
        _words("Παπαδόπουλος Ιωάννου Καραγιάννη Νικολάου Οικονόμου Ξένος"),
        ("Ελαιώνας ΑΕ", "Καφέ «Αιγαίο»", "Φως & Σκιά ΟΕ"),
        _words("διευθυντής λογίστρια ιδιοκτήτης"),
        ("Οδός Παραδείγματος 4", "Λεωφόρος Ήλιου 88"),
        (("Αθήνα", "Αττική", "100 00"), ("Θεσσαλονίκη", "", "540 00")),
        ("Ελλάδα", "GR"),
        ("Να καλέσουμε αύριο το πρωί;", "Θέλει προσφορά έως Παρασκευή"),
        _BRITISH,
    ),
    Locale(
        _words("ليلى أحمد فاطمة يوسف نور كريم سلمى طارق"),
        _words("بن عبد"),
        _words("الحسن منصور العلي حداد قاسم النجار"),
        ("شركة الأفق", "مقهى «الياسمين»", "مؤسسة النور للتجارة"),
        _words("مدير محاسبة مهندس"),
        ("شارع المثال ١٢", "حي الزهور، بناية ٥"),
        (("القاهرة", "القاهرة", "11511"), ("دبي", "", "")),
        ("مصر", "EG"),
        ("يرجى الاتصال بعد الساعة ٦", "مهتم بالعرض، أرسل السعر"),
        _BRITISH,
    ),
    Locale(
        _words("נועה דוד יעל אורי תמר איתן"),
        _words("בן בת"),
        _words("לוי כהן מזרחי פרידמן שלום"),
        ('חברת אור בע"מ', "קפה השדרה"),
        _words("מנהל רוכשת מהנדס"),
        ("רחוב הדוגמה 3", "שדרות הדמיון 10"),
        (("חיפה", "", "3100000"), ("תל אביב", "", "6100000")),
        ("ישראל", "IL"),
        ("לחזור אחרי שש", 'ביקש הצעת מחיר, אמר "אולי"'),
        _BRITISH,
    ),
    Locale(
        _words("伟 秀英 芳 磊 静 娜 洋 艳"),
        (),
        _words("王 李 张 刘 陈 欧阳 司马"),
        ("示例贸易有限公司", "幻想茶馆", "北方光电（虚构）"),
        _words("经理 会计 采购员"),
        ("示例路12号", "想象街88弄3单元"),
        (("北京", "北京市", "100000"), ("上海", "上海市", "200000"), ("成都", "四川省", "")),
        ("中国", "CN"),
        ("请下午六点以后再打", "客户觉得太贵，下周再联系"),
        _AMERICAN,
    ),
    Locale(
        _words("さくら 翔太 美咲 健 陽菜 蓮 結衣 ケン"),
        (),
        _words("佐藤 鈴木 高橋 田中 渡辺 髙﨑"),
        ("株式会社サンプル", "喫茶「夢」", "架空電機㈱"),
        _words("部長 経理 購買担当"),
        ("例町1丁目2番3号", "架空ビル5階"),
        (("東京都", "千代田区", "〒100-0000"), ("大阪市", "大阪府", "")),
        ("日本", "JP"),
        ("18時以降に電話してください", "見積もりを希望、来週再連絡"),
        ("\uff0b\uff14\uff14 \uff17\uff17\uff10\uff10 \uff19\uff10\uff10###", "+44 20 7946 0###"),
    ),
    Locale(
        _words("अनन्या रोहन प्रिया अर्जुन मीरा कबीर"),
        _words("कुमार देवी"),
        _words("शर्मा गुप्ता सिंह नायर क्षत्रिय"),
        ("कल्पना ट्रेडर्स", "ज्योति एंड संस"),
        _words("प्रबंधक लेखाकार मालिक"),
        ("उदाहरण मार्ग 7", "काल्पनिक नगर, गली 2"),
        (("मुंबई", "महाराष्ट्र", "400000"), ("दिल्ली", "", "110000")),
        ("भारत", "IN"),
        ("कृपया शाम छह बजे के बाद फ़ोन करें", "छूट चाहिए"),
        _AMERICAN,
    ),
    Locale(
        _words("ნინო გიორგი თამარ ლუკა ანა დავით"),
        _words("ბ. გ."),
        _words("ბერიძე კაპანაძე გელაშვილი ლომიძე"),
        ("შპს მაგალითი", "კაფე «მზე»"),
        _words("დირექტორი ბუღალტერი"),
        ("მაგალითის ქ. 5", "ოცნების გამზ. 21"),
        (("თბილისი", "", "0100"), ("ბათუმი", "აჭარა", "6000")),
        ("საქართველო", "GE"),
        ("დარეკეთ ექვსის შემდეგ", "სურს ფასდაკლება"),
        _BRITISH,
    ),
    Locale(
        _words("Chloe Jack Ruby Max Matilda Kai"),
        _words("Kim Jo"),
        _words("Nguyen Walker Harris Kelly Marsh"),
        ("Wattle & Gum Pty", "Reef Imaginary Tours 🐠", "Shed 🛠️ Co"),
        ("tradie", "Ops lead", "Owner 🦘"),
        ("8 Sample Cct", "U4/20 Fiction St"),
        (("Perth", "WA", "6000"), ("Hobart", "TAS", "7000")),
        ("Australia", "AU"),
        ("Keen as 👍🏽 — ring arvo", "👩‍👩‍👧 family plan, 2nd quote"),
        ("+61 491 570 006", "+61 491 570 156", "0491 570 157", "0491 570 158", "+61491570313"),
    ),
)

GARBAGE_PHONES = ("call after 6", "см. комментарий", "нет", "+", "-", "12", "n/a", "спросить Олю", "000", "x 14")
LATIN = _words(
    "olga timur anna harry olivia noah emma liam jurgen mia elodie theo eleni nikos layla ahmed noa wei sakura"
)
UTM = {
    "UTM_SOURCE": ("yandex", "google", "newsletter", "vk", "партнёр", "t.me"),
    "UTM_MEDIUM": ("cpc", "cpm", "email", "organic"),
    "UTM_CAMPAIGN": ("autumn_2026", "осень|скидки", "brand+generic", "{campaign_id}"),
    "UTM_CONTENT": ("banner_1", "text&image", "b/2"),
    "UTM_TERM": ("купить окна", "windows near me", "fenêtre pas chère", "窗户"),
}


def phone(locale: Locale, rng: random.Random) -> str:
    """Return a phone number as somebody of the place typed it, now and then no number at all."""
    if rng.random() < 0.03:
        return rng.choice(GARBAGE_PHONES)
    pattern = locale.phones[int(rng.random() * len(locale.phones))]
    parts = pattern.split("#")
    digits = f"{rng.getrandbits(32) % 10**8:08d}"
    return "".join(part + digit for part, digit in zip(parts, (*digits[: len(parts) - 1], ""), strict=True))


def email(rng: random.Random) -> str:
    """Return an e-mail address at a domain reserved for examples."""
    name = LATIN[int(rng.random() * len(LATIN))]
    shape = rng.random()
    number = int(rng.random() * 10_000)
    if shape < 0.1:
        return f"{name.upper()}{number}@Example.COM"
    if shape < 0.2:
        return f"{name}+crm{number}@example.net"
    return f"{name}.{number}@example.{'org' if shape < 0.4 else 'com'}"
