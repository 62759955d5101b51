"""Phrases for the channel and means of a payment, and words for parties."""

from merchants.matching.booking.phrasebook import Wording
from merchants.matching.text.word_lists import word_set

ONLINE = Wording(
    anywhere="""online purchase, internet purchase, web purchase, ecom purchase, ecom pur,
    ecommerce purchase, e commerce purchase, e commerce, purchase online, purchase internet, card
    not present, cnp purchase, online card purchase, ecommerce transaction, online transaction, e
    com purchase, digital card purchase, in app purchase, website purchase, onlinekauf, online
    kauf, internetzahlung, internetkauf, online zahlung, online einkauf, ecommerce zahlung,
    einkauf online, onlinehandel, e commerce zahlung, achat internet, achat en ligne, paiement en
    ligne, paiement internet, achat sur internet, paiement vad, vente a distance, compra internet,
    compra online, compra en linea, compra por internet, pago online, pago en linea, pago
    internet, compra en internet, comercio electronico, compra e commerce, compra ecommerce,
    compra pela internet, compra on line, compra via internet, pagamento online, acquisto online,
    acquisto internet, acquisto on line, acquisto via internet, pagamento internet, acquisto e
    commerce, pagamento su internet, internetbetaling, online betaling, ideal betaling, sepa
    ideal, internetaankoop, webwinkel, bancontact online, internettransactie, aankoop via
    internet, betaling via internet, köp internet, internetköp, nätköp, kortköp internet, e
    handel, ehandel, netthandel, kjøp internett, køb internet, internetkøb, nethandel, verkko
    osto, verkkokauppa, verkkomaksu, internethandel, zakup internet, płatność internetowa,
    transakcja internetowa, platnosc internet, zakupy internetowe, płatność online, platnosc blik
    internet, blik internet, płatność blik internet, platba na internetu, platba na internete,
    internetová platba, internetova platba, platba kartou na internetu, platba po internetu,
    internetový nákup, nákup na internete, e komerce, internetes vásárlás, internetes fizetés,
    online vásárlás, cumparare internet, plata online, tranzactie internet, cumparaturi online,
    plata internet, comert electronic, internet alışverişi, internet alisveris, sanal pos, e
    ticaret, online kupnja, internet kupnja, spletni nakup, internetikaart, internetmakse,
    internetpirkums, pirkinys internete, e poe ost, αγορά μέσω internet, ηλεκτρονική αγορά, оплата
    в интернете, интернет покупка, покупка в интернете, интернет плащане, רכישה באינטרנט, עסקה
    באינטרנט, online shopping, thanh toan online""",
    opening="ecom, internet, e com, ecomm",
    closing="""ecom, e com, ecomm, online, internet, web, e commerce, ecommerce, onlineshop,
    webshop, online shop, verkkokauppa, internetowa""",
)
# Contactless, by card or phone, at a terminal.
TERMINAL = Wording(
    anywhere="""contactless, tap and pay, tap and go, tap n go, paypass, paywave, chip purchase,
    chip pin, chip and pin, card present, pin purchase, tap purchase, swiped, in store purchase,
    kontaktlos, kontaktlose zahlung, girocard, pinbetaling, sans contact, paiement psc,
    contactloos, betaalautomaat, kontaktløs, kontaktlös, lähimaksu, zbliżeniowo, zbliżeniowa,
    platnosc zblizeniowa, bezkontaktní, bezkontaktne, bezkontaktní platba, compra contactless,
    pago contactless, sem contato, aproximacao, compra aproximacao, por aproximação, érintős,
    érintéses, érintésmentes, temassız, temassiz, beskontaktno, brezstično, viipemakse,
    viipekaart, bekontaktis, bezkontakta, ανέπαφη, бесконтактная, безконтактно, debit pin, pin
    debit, purchase with pin, with cash back, with cashback, purchase with cash back, paiement de
    proximite, cash back purchase""",
    opening="bea, ec, tap, chip",
)
# The usual wording of terminals, which some banks print for every card payment.
POINT_OF_SALE = Wording(
    anywhere="""point of sale, eftpos, pos purchase, pos debit, pos pur, pos withdrawal, pos
    transaction, pos einkauf, acquisto pos, pagamento pos, pagamento tramite pos, compra pos, tpv,
    compra tpv, pagobancomat, terminal purchase, interac purchase, dankort, kartenzahlung, apple
    pay, aplpay, applepay, google pay, gpay, googlepay, samsung pay, samsungpay, plata pos,
    cumparare pos, покупка на пос, плащане на пос""",
    opening="pos, opos, fpos, rpos, apos, idp",
)
WALLETS = {
    "Apple Pay": Wording("apple pay, aplpay, applepay, apl pay, appl pay, aapl pay"),
    "Google Pay": Wording("google pay, googlepay, gpay, ggl pay, gglpay, goog pay, android pay"),
    "Samsung Pay": Wording("samsung pay, samsungpay"),
    "Garmin Pay": Wording("garmin pay, garminpay"),
    "Alipay": Wording("alipay"),
    "WeChat Pay": Wording("wechat pay, wechatpay, weixin pay"),
    "Venmo": Wording("venmo"),
    "Cash App": Wording("cash app, cashapp", opening="sqc"),
    "Apple Cash": Wording("apple cash, apple pay cash"),
    "Swish": Wording(opening="swish, swish till, swish från, swish inbetalning"),
    "Vipps": Wording(opening="vipps, vipps til, vipps fra"),
    "MobilePay": Wording(opening="mobilepay, mobilepay til, mobilepay fra"),
    "TWINT": Wording(opening="twint, twint an, twint von, twint p2p, twint geld senden"),
}

# Incoming money: the party named after these was not paid.
INCOMING = Wording(
    anywhere="""receipt, received, incoming, credit from, from, gutschrift, eingang, geldeingang,
    recu, reçu, recibida, recibido, recebida, recebido, accredito, bonifico da, bijschrijving,
    inbetalning, indbetaling, przychodzący, przychodzacy, příchozí, prichozi, bejövő, incasare,
    gelen, bank giro credit, bgc, входящий, получен, dep tfr, neft cr, imps cr, rtgs cr, upi cr,
    inward, zahlungseingang""",
)
# Services that pay shops as well as people.
SHOPS_AND_PEOPLE = Wording(
    opening="""swish, vipps, mobilepay, pix, twint, satispay, paylah, mb way, mbway, duitnow,
    duitnow qr, paynow qr, instapay, pesonet, raast, gcash, bkash, easypaisa, jazzcash, mtn momo,
    zalopay, tng ewallet, kakaopay, bancomat pay, ropay, keks pay, transfiya, palmpay"""
)

# Brands that after a person's name say through whom, or what for, money was sent.
BRANDS = word_set(
    """amazon netflix google apple microsoft robinhood coinbase vanguard fidelity schwab wise
    revolut monzo edf engie vattenfall"""
)
# Words of companies' names, besides legal forms and kinds of shop.
COMPANY_WORDS = BRANDS | word_set(
    """stadtwerke energie energi energia energy strom gas wasser water electric electricity power
    utilities utility versicherung versicherungen insurance assurance assurances mutuelle
    seguros assicurazioni verzekeringen forsikring försäkring vakuutus ubezpieczenia pojistovna
    pojišťovna biztosito sigorta telekom telecom mobile bank banque banco banca sparkasse
    volksbank raiffeisen credit union hausverwaltung immobilien wohnbau wohnungsbau properties
    property lettings realty management school council city county borough university
    universitat college verein club association stiftung foundation trust charity church
    gemeinde kommune kommun commune mairie ayuntamiento comune gemeente hospital clinic praxis
    holding group services service solutions systems consulting studio shop store market online
    internet visa mastercard amex brokerage securities investments invest fund funds mortgage
    lending logistics transport verwaltung krankenkasse gmbh kindergarten finance financial company
    companies industries international plumbing construction builders accountants media apotheke
    pharmacy restaurant cafe garage dental svenska payments marketing agency"""
)
# A bank as the other party: a transfer between accounts.
BANK_WORDS = word_set(
    """paypal venmo cashapp bank banque banco banca sparkasse volksbank raiffeisen amex visa
    mastercard brokerage securities investments invest robinhood coinbase vanguard fidelity
    schwab wise revolut monzo cba netbank anz westpac chase citi citibank hsbc barclays lloyds
    natwest santander bbva caixabank ing rabo rabobank abn knab bunq n26 dkb comdirect postbank
    nordea handelsbanken seb swedbank danske nubank itau bradesco sbi hdfc icici"""
)
# Titles: a person's name follows.
TITLES = word_set(
    """mr mrs ms miss mme mlle monsieur madame herr frau herrn dhr mevr mw sig sigra sr sra srta
    senor senora pan pani"""
)
# Words between a phrase and a name, or before the purpose.
PARTICLES = word_set(
    """to from for by a an au aux de du des da do di del della le la el los las von vom naar van
    voor aan met bij till fran til fra per para pelo pela por pour chez vers em en favor favore
    faveur ordine na od dla pre pro ref reference name naam nom nombre sent received enviado
    enviada recibido recibida emis emise recu inst sepa instant instantane permanent betalning
    betaling zahlung pago pagamento payment debit credit id org trn pay mob mobile app via and y
    et und e i o og och the in at on autodeposit auto deposit saaja inmediata inmediato
    realizada realizado efetuada efetuado recebido recebida valor rent rente miete loyer
    alquiler affitto huur hyra husleie vuokra czynsz thanks thank you thx danke gracias merci
    grazie memo note conf confirmation trace customer receipt funds fund money paid pmt pymt ib
    ibft neft imps rtgs upi dr cr p2p p2a pix swish vipps mobilepay twint blik bizum tikkie spei
    share shares sav chk savings pot vault goal isa spaar sparkonto konto konta account acct kto
    compte cuenta conta rekening tili ucet szamla hesap jan feb mar apr may jun jul aug sep oct
    nov dec januar februar marz mars april mai juni juli august september oktober november
    dezember janvier fevrier avril juin juillet aout septembre octobre novembre decembre enero
    febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre mandat
    kontonummer verwendungszweck svwz eref"""
)
# Words around a person's name that say how or why money was sent: never a card purchase.
PURPOSES = word_set(
    """payment pago pagamento pagto pgto paiement zahlung betaling betalning maksu platba uhrada
    plata odeme bacs sct draft cashier cashiers giro ibg fast payout credito debito internet web
    movil child support sent received rent rente miete loyer alquiler affitto huur hyra husleie
    vuokra czynsz schenkung donation donativo
    gift gifts present birthday bday wedding christmas xmas loan loans repayment payback
    reimbursement reimburse owed iou allowance alimony dinner lunch holiday share pocket send
    gave give giving transferred cheque cheques check checks geschenk geburtstag hochzeit
    darlehen rueckzahlung ruckzahlung unterhalt taschengeld cadeau anniversaire mariage pret
    remboursement pension regalo cumpleanos boda prestamo reembolso manutencion presente
    aniversario emprestimo mesada prestito compleanno rimborso cadeautje verjaardag lening
    terugbetaling zakgeld gava fodelsedag lan gave bursdag fodselsdag prezent urodziny
    pozyczka zwrot darek pujcka ajandek kolcson cadou imprumut hediye borc odunc poklon dar zajam
    payee beneficiary empfaenger beneficiario beneficiaire begunstigde"""
)
