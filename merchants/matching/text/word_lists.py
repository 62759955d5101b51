"""Words that say what kind of thing a text is part of, in the languages card descriptors come in.

All in folded form (`merchants.matching.text.normalize`): lower case, no accents.
"""

import gzip
from pathlib import Path

from pave.core.caching.loading import load_once

DATA = Path(__file__).parents[2] / "data"


def word_set(text: str) -> frozenset[str]:
    """The words of `text`, separated by blanks and line ends."""
    return frozenset(text.split())


# Endings that name a company's legal form; they say nothing about which company it is.
LEGAL_FORMS = word_set(
    """inc incorporated llc ltd limited llp lp plc corp corporation co company pllc pc pty pte bhd
    gmbh ag kg ohg ug mbh ev eg kgaa sa sas sarl sasu eurl srl spa snc sl slu sau bv nv cv vof
    as asa ab oy oyj aps sro doo zrt kft ltda eireli sp spzoo sia uab oue pvt private"""
)

# Alone or together these name no merchant: bank wording and the bank's own bookings.
NON_MERCHANT_WORDS = word_set(
    """transfer transfers xfer transf trf tfr fee fees interest int payment payments pmt pymt pay
    paid credit debit deposit deposits withdrawal withdrawals withdraw wdl wd cash atm card cards
    purchase purchases pos ach wire incoming outgoing inbound outbound internal external online
    mobile banking bank account acct acc savings saving checking chequing chk sav current loan
    mortgage overdraft od service services charge charges monthly annual maintenance minimum balance
    adjustment reversal refund return returned item nsf insufficient funds foreign transaction
    transactions exchange conversion atmfee direct dd autopay automatic auto bill billpay e epay
    check cheque chq number no nr ref reference to from the of for on at in a and date value
    misc miscellaneous statement earned posted dividend payroll salary wages tax withholding
    finance convenience replacement memo rebate adj
    reinvestment back nonsufficient protection charged late advance full directpay withdraw remote
    id membership non sterling conto mensile bancomat prelievo prelevamento mantenimiento cuenta
    inmediata kontofuehrungsgebuehr kontofuhrungsgebuhr mandate surcharge balances overlimit
    cashback reward rewards redemption bonus opening closing brought forward carried thank you
    received recd scheduled recurring standing order eft ebanking p2p branch teller counter
    ueberweisung uberweisung gutschrift zinsen zins gebuehr gebuhr gebuhren entgelt kontofuehrung
    kontofuhrung kontoabschluss abschluss lastschrift dauerauftrag bargeld bargeldauszahlung
    auszahlung einzahlung geldautomat ga lohn gehalt rechnung
    agios trimestre mensuel annuel
    virement retrait especes versement depot interets interet frais cotisation
    commission
    commissions carte cb dab prelevement prlv vir remise cheques salaire tenue compte de du des le
    la
    transferencia traspaso ingreso efectivo reintegro cajero comision comisiones nomina recibo pago
    cargo abono intereses cuota anualidad mantenimiento
    bonifico prelievo versamento canone bollo imposta commissione interessi stipendio giroconto
    levantamento deposito juros tarifa saque ted doc pix transferencias
    overboeking opname storting rente kosten spaarrekening
    overforing overfoering overforsel rente gebyr uttak uttag innskudd lon loenn ranta avgift
    nosto tilisiirto palkka korko
    przelew wyplata wplata oplata prowizja odsetki prevod vyber vklad poplatek urok"""
)

# Kinds of shop and goods: a name of only such words is generic, and after a brand they add nothing
# (`WM SUPERCENTER`, `SHELL STATION`).
SHOP_WORDS = word_set(
    """store stores shop shops market markets mkt mkts supermarket supermarkets supercenter
    supercentre superstore hypermarket hyper super express mini outlet outlets factory mall center
    centre centers centres ctr plaza station stations service services srvc gas fuel fuels oil
    petrol gasoline petroleum energy ev charging car wash auto automotive parts tire tires pharmacy
    pharm pharma pharmacies drug drugs drugstore apotheke pharmacie farmacia apotek apoteket
    restaurant restaurants rest resto ristorante restaurante restauracja cafe coffee coffees
    coffeehouse tea teahouse bar bars grill grille pub inn tavern brewing brewery bakery bakeries
    boulangerie patisserie baeckerei backerei panaderia pizza pizzeria pizzas burger burgers
    sandwich sandwiches subs sushi ramen noodle noodles taco tacos kebab kitchen kitchens eatery
    diner bistro buffet deli delicatessen food foods foodmart grocery groceries grocer fresh
    produce meat meats butcher seafood fish chicken wings bbq steakhouse steak ice cream gelato
    dessert desserts donut donuts doughnuts bagel bagels juice smoothie wine wines liquor liquors
    spirits beer hotel hotels motel suites resort resorts lodge hostel rental rentals rent hire
    parking park garage transit transport taxi travel travels tours airlines airways air cinema
    cinemas theatre theatres theater theaters gym fitness club clubs sport sports sporting goods
    outdoors clothing clothes apparel fashion fashions boutique wear shoes shoe footwear jewelry
    jewellers jewelers jewellery beauty salon salons spa nails nail hair barber barbershop
    cosmetics perfume perfumes optical optics opticians eyewear vision dental dentist clinic
    hospital medical health healthcare care doctor vet veterinary pet pets animal supply supplies
    hardware home homes garden gardens nursery lumber furniture mattress appliance appliances
    electronics electronic computer computers mobile phone phones wireless telecom telecoms
    internet digital online web site website app apps com net org www tv video videos music games
    gaming toys toy book books bookstore bookshop stationery office print printing photo gifts gift
    cards card flowers florist cleaners cleaning laundry dry school college university academy
    insurance assurance finance financial bank credit union solutions systems technologies
    technology tech software studio studios gallery museum zoo church trust foundation group
    holdings international intl global worldwide company co corp inc llc ltd
    usa us uk canada eu europe america na north south east west central
    markt maerkte markte laden geschaeft kaufhaus warenhaus baumarkt drogerie drogeriemarkt
    tankstelle getraenke getraenkemarkt lebensmittel filiale fil sagt danke
    magasin marche supermarche hypermarche hyper proximite city contact drive boutique station
    carburant essence epicerie tabac presse
    tienda supermercado supermercados mercado gasolinera estacion farmacias libreria ferreteria
    comercial
    negozio supermercato mercato distributore stazione ipermercato
    mercearia loja lojas posto padaria
    winkel supermarkt tankstation apotheek slagerij bakkerij
    butik kiosk kiosco quiosque livs kauppa apteekki marked bensin
    sklep stacja apteka piekarnia prodejna obchod lekarna"""
)

# Words for a trade, each with its MCC: after a brand such a word fits only a brand of that trade.
TRADE_MCCS: dict[str, str] = {
    word: mcc
    for mcc, trade in {
        "4812": "wireless phone telecom telecoms internet",
        "5912": "pharmacy pharm pharma pharmacies drug drugs apotheke pharmacie farmacia apotek",
        "5541": "gas fuel fuels petrol gasoline petroleum tankstelle carburant gasolinera bensin",
        "5814": "cafe coffee coffees coffeehouse tea donut donuts doughnuts juice smoothie burger"
        " burgers taco tacos kebab sandwich sandwiches subs",
        "5812": "restaurant restaurants ristorante restaurante pizza pizzeria sushi ramen noodle"
        " grill"
        " grille bbq steakhouse bistro eatery diner kitchen",
        "5813": "bar bars pub tavern brewing brewery",
        "5462": "bakery bakeries boulangerie patisserie baeckerei panaderia bagel bagels",
        "5411": "market markets mkt mkts food foods foodmart grocery groceries supermarket"
        " supermarkets supermercado supermarche supermarkt",
        "7011": "hotel hotels motel resort resorts hostel lodge",
        "5651": "clothing clothes apparel fashion fashions boutique",
        "8021": "dental dentist",
        "7230": "salon salons hair barber barbershop nails nail spa beauty",
        "5732": "electronics computer computers",
        "7997": "gym fitness",
        "6300": "insurance assurance",
        "7538": "auto automotive tire tires",
        "5712": "furniture mattress",
        "5921": "wine wines liquor liquors",
        "4722": "travel tours",
        "8220": "college university academy school",
        "6513": "realty properties apartments",
        "7349": "cleaners cleaning",
        "5992": "florist flowers",
        "7832": "cinema cinemas theatre theatres theater theaters",
        "7523": "parking garage",
        "5942": "book books bookstore bookshop",
        "5945": "toy toys games gaming",
        "5251": "hardware lumber",
        "5261": "nursery",
        "4511": "air airlines airways",
        "4121": "taxi",
        "6012": "bank credit union finance financial",
        "8011": "clinic hospital medical health healthcare doctor",
        "0742": "vet veterinary animal",
        "5995": "pet pets",
        "5944": "jewelry jewellers jewelers jewellery",
        "5661": "shoe shoes footwear",
        "5941": "sport sports sporting outdoors",
        "5943": "office stationery",
        "8043": "optical optics opticians eyewear",
        "7372": "software",
        "7513": "rental rentals",
        "7542": "wash",
        "5977": "cosmetics perfume perfumes",
    }.items()
    for word in trade.split()
}

# Words after a brand that its own descriptors carry: where and how, not who.
SUFFIX_WORDS = SHOP_WORDS | word_set(
    """retail wholesale direct ecom ecomm ecommerce internet order orders payment payments pay bill
    billing billpay autopay purchase subscription subscriptions subscr sub member membership plan
    prime plus premium pro monthly annual recurring renewal trip ride rides delivery pickup
    takeaway dd drive thru thruway self checkout kiosk vending trm terminal pos qsr pfs gb ie de fr
    nl au nz ca it es at ch be se no dk fi pl pt mx br jp sg ap dp aus can inc emea intl int
    airport arpt apt aero rail railway downtown street road rd st ave avenue blvd highway hwy
    rue via plein platz strasse str centrum centro centru zentrum bahnhof hbf hauptbahnhof nord
    sued sud ost west bc bcc co uk m s x e sa ag ltd mktplace marketplace mktp mkt digital media
    svcs svc serv the of and at on in der die das le la les du des di del della il lo el los las
    gift reload wallet topup top up insurance premium auto policy tickets ticket booking bookings
    bkng reservation fare transaction account acct customer support help invoice deposit rentals
    stansted heathrow gatwick schiphol jfk lax bnkcrd fd pmt
    webrecurring pymt pymts epayment epayments draft creditcard ach utilitypay directpay webpay
    sweden norway denmark finland germany spain italy poland ireland austria belgium switzerland
    portugal mobiili
    membershi membersh elec electronic sverige norge danmark suomi deutschland france italia espana
    espanha polska brasil india mexico nederland belgie schweiz suisse oesterreich gb
    ez ezpay epay ref no nr loc unit gate term lvl
    nw ne sw se n w
    superstore stores hyp supc sc sn s/mkts smkts pfs filling forecourt t2 t3 t5"""
)

# Words that fit any trade: every chain has stores, outlets and a web shop.
ANY_TRADE_WORDS = word_set(
    """store stores shop shops supercenter supercentre superstore hypermarket hyper super express
    mini outlet outlets factory mall center centre centers centres ctr plaza station stations
    service services srvc mobile internet digital online web website site app apps com net org www
    solutions systems technologies technology tech
    group holdings international intl global worldwide company co corp inc llc ltd usa us uk
    canada eu europe america na north south east west central markt maerkte laden filiale fil sagt
    danke magasin marche proximite city contact drive boutique tienda negozio loja lojas winkel
    butik kauppa sklep stacja prodejna"""
)

# After a brand and a name such a word makes it an address: SHELL HANGER LANE.
STREET_WORDS = word_set(
    """street st road rd avenue ave av lane ln drive dr boulevard blvd highway hwy way parkway pkwy
    square sq court terrace rue place quai cours chemin route via viale piazza corso calle avenida
    paseo plaza rua strasse str weg allee platz ring straat laan plein gata gatan vagen vei veien
    gade vej katu tie ulica ul aleja roundabout junction jct bypass"""
)

# Everyday words of other languages and short words that are also the name of some brand.
_FOREIGN_COMMON = word_set(
    """real bon bonjour casa sol luna mar rey plaza dia mas vida maison plus nuit roi reine soleil
    jour bio eco nature fleur monde ville petit grand belle beau bella bello dolce oro stella fiore
    primo uno due tre centro nord sud ost stern sonne mond haus hof dorf stadt berg tal wald blume
    rose krone adler loewe lowe hirsch engel koenig konig mega maxi mini max extra top super hyper
    ultra prima ideal royal imperial central metro city euro europa asia america orient global
    universal national nova neo alfa alpha beta gamma delta omega sigma zeta polo aqua terra luz
    mama papa pop joe max leo felix oscar hugo victor alex anna maria marie emma lena sofia julia
    nina lisa eva sara laura diana monica angela rosa clara carla paula daniel david michael martin
    peter paul john james thomas robert richard charles george henry william edward frank harry
    jack sam ben tom tony nick mike steve bill bob dan jim joan ann anne jane kate lucy mary nancy
    susan linda ruth helen alice lily daisy ruby amber jade pearl ali omar hassan ahmed mohammed
    mustafa ibrahim mario luigi giuseppe antonio giovanni marco paolo luca pedro juan jose carlos
    luis miguel jorge diego pablo santiago jean pierre jacques michel claude francois andre louis
    klaus hans karl otto fritz heinz walter werner jan piet lars erik anders olaf sven
    wilson smith jones brown taylor evans thomas johnson walker wright robinson thompson white
    hughes edwards green hall lewis harris clarke patel jackson wood turner moore cooper hill ward
    morris king lee baker allen young scott adams nelson carter mitchell perez roberts phillips
    campbell parker collins stewart murphy rivera cook rogers morgan bell bailey reed kelly howard
    cox richardson watson brooks gray ramirez bennett mendoza ruiz alvarez castillo price hoffman
    garcia lopez gonzalez hernandez martinez rodriguez sanchez torres flores gomez diaz cruz reyes
    morales ortiz gutierrez chavez ramos vargas muller mueller schmidt schneider fischer weber
    meyer wagner becker schulz hoffmann koch bauer richter klein wolf schroeder neumann schwarz
    mac macs pho banh thai viet hanoi wok boba poke gyro gyros halal tandoori masala dosa chai chaat
    bao udon soba izakaya teriyaki hibachi bento kimchi falafel shawarma empanada empanadas pupusa
    arepa churros cantina taqueria carniceria tortilleria trattoria osteria enoteca gelateria
    pasticceria cafeteria brasserie creperie imbiss doener doner kebap stube konditorei metzgerei
    fleischerei friseur blumen gasthof gasthaus restauracion peluqueria coiffeur fleuriste
    zimmermann braun kruger hofmann hartmann lange krause lehmann werner dubois durand leroy moreau
    simon laurent lefebvre roux bertrand morel fournier girard bonnet rossi russo ferrari esposito
    bianchi romano colombo ricci marino greco bruno gallo conti costa silva santos oliveira souza
    pereira lima carvalho ferreira gomes ribeiro martins jansen bakker visser smit nguyen tran
    singh kumar sharma khan chen wang li liu zhang yang kim park lin"""
)


@load_once(at_start=True)
def _english_words() -> frozenset[str]:
    return _read("english-words.txt.gz")


@load_once(at_start=True)
def _everyday_words() -> frozenset[str]:
    return _FOREIGN_COMMON | SHOP_WORDS | _english_words()


@load_once(at_start=True)
def _proper_names() -> frozenset[str]:
    return _read("proper-names.txt.gz")


def _read(name: str) -> frozenset[str]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as content:
        return frozenset(content.read().split())


def is_english(word: str) -> bool:
    """Whether a folded word is everyday English (SCOWL)."""
    return word in _english_words()


def is_everyday(word: str) -> bool:
    """Whether a folded word is everyday language (English from SCOWL, others listed here)."""
    return word in _everyday_words()


def is_common(word: str) -> bool:
    """Whether a folded word is an everyday word or a name of many people or cities.

    Such a name alone does not identify a brand.
    """
    return word in _everyday_words() or word in _proper_names()
