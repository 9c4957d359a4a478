"""Words the seeded records are made of: example domains, fictional phone numbers."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST = _words("""
Adam Aisha Albert Alice Amelia Amir Andre Anika Anna Arjun Beatrice Ben Bianca Bruno Camille
Carlos Caroline Chen Chloe Clara Daniel David Diego Dina Edith Elias Ella Emil Emma Eric Fatima
Felix Fiona Frank Gabriel Grace Greta Hana Hannah Hassan Helen Henry Hugo Ida Imran Ingrid Ivan
Jack James Jasmin Joana John Julia Kai Karim Kate Keiko Lars Laura Leila Leo Lina Louis Lucia
Magnus Marco Maria Martin Mei Mia Nadia Nina Noah Nora Olga Oliver Omar Oscar Paul Petra Rahul
Rosa Ruben Ruth Sara Simon Sofia Stefan Tara Thomas Tina Tom Uma Vera Victor Wendy Yara Yusuf
Zoe
""")
LAST = _words("""
Abbott Ahmed Allen Alvarez Andersen Baker Bauer Becker Bell Berg Bishop Brandt Brooks Burke
Carter Castro Chang Clarke Cohen Cole Costa Cruz Dahl Davies Delgado Diaz Dixon Doyle Dubois
Ellis Evans Farrell Fischer Fleming Flores Foster Fox Garcia Gibson Gomez Grant Gray Hall Hansen
Harper Hayes Hoffmann Holm Hughes Hunt Ibrahim Iversen Jensen Johnson Jones Kaur Keller Kelly
Khan Kim Klein Kumar Lambert Larsen Lee Lopez Lund Marsh Martinez Mason Meyer Miller Moore
Morgan Murphy Nash Nelson Nguyen Nilsson Novak Olsen Ortiz Owens Park Patel Perez Price Quinn
Ramos Reed Reyes Rossi Santos Schmidt Shah Silva Singh Sousa Stone Torres Turner Vega Vogel
Walsh Weber West Wolf Wright Yamada Young Zhang
""")
FIRM = _words("""
Alder Amber Anchor Arbor Aspen Atlas Beacon Birch Bluewater Bridge Bright Canyon Cedar Cobalt
Copper Coral Crescent Crown Delta Dune Eagle Eastgate Ember Evergreen Falcon Fern Granite Harbor
Hazel Heron Highland Horizon Iron Ivy Juniper Keystone Lake Lantern Laurel Linden Maple Meridian
Mesa Monarch North Oak Orchard Osprey Palisade Peak Pine Pioneer Prairie Quarry Ridge River
Rowan Sable Sage Sequoia Silver Spruce Sterling Stone Summit Sycamore Terra Timber Trail Union
Valley Verde Vista Walnut Willow Wren
""")
TRADE = _words("""
Analytics Bank Biotech Builders Chemicals Clinics Dynamics Energy Foods Freight Instruments
Insurance Labs Learning Logistics Machines Materials Networks Outfitters Partners Robotics
Software Solar Systems Telecom Textiles Tools Ventures Water Works
""")
TITLES = (
    "Account Executive", "Buyer", "Chief Executive Officer", "Chief Financial Officer",
    "Controller", "Customer Success Lead", "Director of Operations", "Facilities Lead",
    "Finance Director", "Head of Procurement", "HR Director", "IT Director", "Legal Counsel",
    "Marketing Director", "Office Manager", "Operations Analyst", "Plant Supervisor",
    "Product Owner", "Project Lead", "Purchasing Agent", "Quality Engineer", "Sales Director",
    "Supply Chain Analyst", "Vice President Sales",
)  # fmt: skip
PLACES = (
    ("Austin", "TX", "78701", "United States", "+1 512 555"),
    ("Boston", "MA", "02108", "United States", "+1 617 555"),
    ("Chicago", "IL", "60601", "United States", "+1 312 555"),
    ("Denver", "CO", "80202", "United States", "+1 303 555"),
    ("Portland", "OR", "97201", "United States", "+1 503 555"),
    ("Raleigh", "NC", "27601", "United States", "+1 919 555"),
    ("Seattle", "WA", "98101", "United States", "+1 206 555"),
    ("Toronto", "ON", "M5H 2N2", "Canada", "+1 416 555"),
    ("London", "England", "EC1A 1BB", "United Kingdom", "+44 20 7946"),
    ("Manchester", "England", "M1 1AE", "United Kingdom", "+44 161 496"),
    ("Berlin", "Berlin", "10115", "Germany", "+49 30 23125"),
    ("Munich", "Bavaria", "80331", "Germany", "+49 89 99998"),
    ("Paris", "Ile-de-France", "75001", "France", "+33 1 99 00"),
    ("Madrid", "Madrid", "28001", "Spain", "+34 910 059"),
)
"""City, state, postal code, country, and the start of its fictional phone numbers."""
STREETS = (
    "Birch Lane", "Canal Street", "Church Road", "Elm Street", "Harbour Way", "High Street",
    "King Street", "Lake Drive", "Market Square", "Mill Road", "Orchard Avenue", "Park Row",
    "Station Road", "Union Street", "Victoria Road", "Water Street",
)  # fmt: skip
PRODUCTS = (
    ("Starter Plan", "SUB-START", 49, "monthly"),
    ("Team Plan", "SUB-TEAM", 190, "monthly"),
    ("Business Plan", "SUB-BUS", 720, "monthly"),
    ("Enterprise Plan", "SUB-ENT", 21500, "annually"),
    ("Onboarding Package", "SVC-ONB", 3500, ""),
    ("Migration Service", "SVC-MIG", 6800, ""),
    ("Training Day", "SVC-TRN", 1400, ""),
    ("Premium Support", "SUB-SUP", 310, "monthly"),
    ("Sensor Kit", "HW-SENS", 229, ""),
    ("Gateway Unit", "HW-GATE", 845, ""),
    ("Field Tablet", "HW-TAB", 640, ""),
    ("Audit Export Add-on", "SUB-AUD", 95, "monthly"),
)
"""Name, SKU, unit price, billing frequency."""
