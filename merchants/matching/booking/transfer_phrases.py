"""Phrases for payments and transfers, in the languages that banks write.

A list for each sense; `phrasebook` defines the positions in which a phrase counts.
"""

from merchants.matching.booking.phrasebook import Wording

PERSON_TO_PERSON = Wording(
    anywhere="""zelle, zelle payment, zelle transfer, quickpay with zelle, venmo payment, venmo
    cashout, cash app, cashapp, apple cash, apple pay cash, p2p payment, p2p transfer, person to
    person, popmoney, squarecash, square cash, friends and family, friends family, paypal friends,
    xoom, upi p2p, interac e transfer, e transfer, etransfer, e tfr, etfr, interac e trf, virement
    interac, upi p2a, imps p2p, imps p2a, osko payment, osko withdrawal, osko deposit, osko,
    payid, beem it, beemit, fast transfer payid, tikkie, aab inz tikkie, betaalverzoek, payconiq
    p2p, lydia app, paylib, sumeria, bizum enviado, bizum recibido, bizum a, bizum de, bizum para,
    envio bizum, recepcion bizum, bizum, mb way transferencia, trf mbway, trf mb way, transf
    mbway, transf mb way, paylah, paynow transfer, paynow, blik na telefon, przelew na telefon,
    blik p2p, przelew blik na telefon, giropay p2p, kwitt, satispay p2p, twint p2p, twint geld
    senden, twint an, twint von, geld senden, geld empfangen, cash by code, pix para, pix enviado,
    pix recebido, pix transf, transferencia pix, pix transferencia, pix env, pix rec, enviada pelo
    pix, recebida pelo pix, transferência enviada pelo pix, transferência recebida pelo pix,
    faster payments receipt, pingit, swish till, swish från, swish inbetalning, vipps til, vipps
    fra, mobilepay til, mobilepay fra, siirto maksu, siirto app, nequi, daviplata, yape, sinpe
    movil, sinpe, tigo money, перевод по номеру телефона, перевод сбп, перевод клиенту, m pesa,
    mpesa, send money to, gcash send, duitnow transfer, promptpay, перевод физлицу, iris payments,
    aircash""",
    opening="""venmo, tikkie, send money, popmoney, wero, plin, lydia, p2p, paypal p2p, allowance,
    pocket money, babysitter, babysitting, alimony, iou, taschengeld, zakgeld, argent de poche""",
    alone="p2p",
)
BILL_PAYMENT = Wording(
    anywhere="""direct debit, directdebit, dir debit, bill payment, bill pay, billpay, billpmt,
    bill pmt, bill pymt, standing order, ach debit, ach payment, ach pmt, ach withdrawal,
    preauthorized debit, preauthorised debit, pre authorized debit, withdrawal ach, autopay
    payment, ebill, e bill, utility payment, loan payment, loan pmt, loan pymt, mortgage payment,
    mortgage pmt, mtg pymt, mtg pmt, insurance premium payment, rent payment, online bill payment,
    web pmts, elec pymt, bpay, ib billpay, bbps, ecs debit, emi payment, emi debit, debit order,
    stop order, giro payment, giro deduction, preauth debit, pad payment, recurring bill payment,
    des payment, type payment, internet bill, internet bill payment, lastschrift, sepa
    lastschrift, basislastschrift, folgelastschrift, erstlastschrift, lastschrifteinzug,
    einzugslastschrift, dauerauftrag, firmenlastschrift, einzugsermächtigung, sepa
    basislastschrift, abbuchung, lsv, einzahlungsschein, bankeinzug, kreditrate, darlehensrate,
    ebill zahlung, e rechnung, zahlungsauftrag, prlv, prelevement, prélèvement, prelevement sepa,
    prélèvement sepa, prelevement europeen, prlv sepa, echeance pret, échéance prêt, virement
    permanent, tip sepa, telereglement, echeance credit, paiement facture, paiement de facture,
    domiciliation, ordre permanent, recibo, adeudo, adeudo recibo, domiciliacion, domiciliación,
    recibo domiciliado, pago recibo, cuota prestamo, pago de servicios, pago servicio, pago
    factura, adeudo directo, debito automatico, débito automático, cargo domiciliado, pago de
    servicio, orden permanente, pago automatico, pac banco, pagos de servicios, debito direto,
    débito direto, debito directo, pagamento de conta, pagamento conta, pagamento de boleto,
    pagamento boleto, boleto, deb autom, debito aut, pag boleto, pagto conta, pgto conta,
    pagamento de servicos, pagamento servicos, ddebito, deb direto, pagto eletron cobranca,
    addebito diretto, addebito sdd, sdd core, addebito rid, pagamento bolletta, bollettino,
    bollettino postale, pagamento mav, pagamento rav, pagopa, addebito bolletta, rata mutuo, rata
    prestito, rata finanziamento, ordine permanente, cbill, pagamento utenze, addebito utenza,
    disposizione permanente, incasso, sepa incasso, automatische incasso, automatisch incasso,
    doorlopende incasso, periodieke overboeking, periodieke betaling, domiciliëring,
    domiciliering, acceptgiro, europese domiciliering, europese domiciliëring, doorlopende
    opdracht, bestendige opdracht, autogiro, e faktura, efaktura, betalning bg, betalning pg,
    bankgiro, plusgiro, bg betalning, räkning, betalning räkning, stående överföring, lån
    betalning, avtalegiro, nettgiro, betaling faktura, giro betaling, fast oppdrag, girobetaling,
    faktura betaling, lånetermin, betalingsservice, bs betaling, indbetalingskort, fast
    overførsel, leverandørservice, girokort, pbs, laskunmaksu, e lasku, elasku, lasku,
    suoraveloitus, suoramaksu, toistuvaismaksu, lainanhoito, lainan lyhennys, laskujen maksu,
    polecenie zapłaty, polecenie zaplaty, zlecenie stałe, zlecenie stale, rachunek za, oplata za
    prad, spłata kredytu, splata kredytu, płatność rachunku, splata raty, inkaso, inkasní platba,
    trvalý příkaz, trvaly prikaz, sipo, splátka úvěru, splatka uveru, trvalý príkaz, splátka
    úveru, souhlas s inkasem, platba inkasem, úhrada faktury, csoportos beszedés, beszedési
    megbízás, állandó átutalás, közüzemi, csoportos terhelés, törlesztés, hiteltörlesztés,
    rendszeres átutalás, csekkbefizetés, debitare directa, debit direct, plata factura, plata
    facturi, ordin de plata factura, rata credit, plata utilitati, ordin programat, fatura ödeme,
    fatura odeme, fatura ödemesi, otomatik ödeme, otomatik odeme, düzenli ödeme, kredi taksit,
    kredi taksiti, fatura tahsilat, talimat ödemesi, trajni nalog, plaćanje računa, placanje
    racuna, izravno terećenje, rata kredita, direktna obremenitev, plačilo računa, trajnik,
    ugovorno terećenje, obremenitev trajni, püsikorraldus, püsimakse, otsekorraldus, e arve,
    earve, automaatne maksekorraldus, regulārais maksājums, automātiskais rēķins, automātiskais
    rēķina apmaksa, rēķina apmaksa, tiesioginis debetas, automatinis e sąskaitos mokėjimas,
    sąskaitos apmokėjimas, e sąskaita, πληρωμή λογαριασμού, πάγια εντολή, άμεση χρέωση, πληρωμη
    λογαριασμων, автоплатеж, автоплатёж, оплата услуг, жкх, директен дебит, комунално плащане,
    битови сметки, платіж комунальні, погашение кредита, оплата счета, оплата жкх, הוראת קבע,
    תשלום חשבון, הרשאה לחיוב, pembayaran tagihan, bayar tagihan, thanh toan hoa don, thanh toán
    hóa đơn, autodebit, auto debet, jompay, خصم مباشر, سداد فاتورة, nach debit, nach dr, ach d,
    eft debit, eft payment, eft pmt, electronic funds transfer debit""",
    opening="d d, s o, stop order, ach, bollo auto, inkasso, einzug, abbuchung",
    closing="bill payment, direct debit, autopay, ddr, bill pmt, billpay, utility payment",
    alone="loan, mortgage, autopay, bill",
)
# Between the customer's own accounts, such as a card's.
OWN_ACCOUNTS = Wording(
    anywhere="""payment thank you, payment received, payment received thank you, credit card
    payment, card payment thank you, online payment thank you, autopay payment thank you,
    automatic payment thank you, directpay full balance, payment thanks, crcardpmt, cr card
    payment, credit crd autopay, credit card autopay, cc payment, card pymt thank you, mobile
    deposit, mobile check deposit, check deposit, cheque deposit, remote online deposit, remote
    deposit, edeposit, home banking transfer, overdraft transfer, overdraft protection transfer,
    savings transfer, internal transfer, account transfer, balance transfer, inter account
    transfer, save the change, keep the change, keep the change transfer, move money, umbuchung,
    kontoübertrag, eigenübertrag, übertrag, umsatz umbuchung, kreditkartenabrechnung, abrechnung
    karte, kreditkartenausgleich, virement interne, vir compte, remise cheque, remise cheques,
    remise de cheques, remise de cheque, traspaso, traspasos, pago de tarjeta, pago tarjeta de
    credito, pago tarjeta credito, movimiento entre cuentas, ingreso cheque, transf entre contas,
    transferencias entre contas, pagamento de fatura, pagamento fatura, pagamento de fatura
    cartao, aplicacao poupanca, giroconto, girofondi, giroconto da, addebito carta di credito,
    versamento assegno, versamento assegni, spaaropdracht, spaarrekening, oranje spaarrekening,
    egen överföring, omföring, egenoverførsel, kontoregulering, oma siirto, przelew własny,
    przelew wlasny, spłata karty, splata karty, számlák közötti átvezetés, átvezetés, transfer
    intre conturi, transfer conturi proprii, virman, hesaplar arasi, hesaplar arası, kredi kartı
    ödeme, kredi karti odeme, перевод между счетами, внутренний перевод, вътрешен превод""",
    alone="""directpay, savings, payment thank you, payment received, electronic payment received,
    deposit check, counter credit, bank credit""",
)
# Between accounts, or with a party of unknown type.
TRANSFER = Wording(
    anywhere="""online transfer, mobile transfer, wire transfer, internet transfer, book transfer,
    external transfer, bank transfer, funds transfer, fund transfer, transfer to, transfer from,
    xfer to, xfer from, tfr to, tfr from, trf to, trf from, transfer fr, transfer credit, transfer
    debit, transfer withdrawal, transfer deposit, recurring transfer, realtime transfer, real time
    transfer, instant transfer, paypal transfer, paypal xfer, wise transfer, revolut transfer,
    wire in, wire out, wire type, ach transfer, incoming wire,
    outgoing wire, fedwire, fps to, fps from, fps payment,
    fps transfer, bank giro credit, faster payment, faster payments, bill payment via
    faster payment, chaps, bacs credit, fpi, fpo, neft cr, neft dr, rtgs, imps, wdl tfr, dep tfr,
    deposit transfer, trf fr, payment from account, payment to account, eft credit, eft transfer,
    internet banking transfer, ib transfer, netbank transfer, transfer ib, transferred to,
    transferred from, ibft, giro credit, überweisung, überweisungsauftrag, überweisungsgutschrift,
    sepa überweisung, echtzeitüberweisung, echtzeit überweisung, online überweisung,
    sepa gutschrift,
    gutschrift überweisung, echtzeit gutschrift, zahlungseingang, einzelüberweisung, geldeingang,
    dauerauftragsgutschrift, virement, vir sepa, vir inst, virement recu, virement emis, virement
    instantane, vir instantane, vir recu, vir emis, vir faveur, versement, vir perm,
    transferencia, transferência, transf, transferencia recibida, transferencia emitida,
    transferencia a favor, transferencia inmediata, transferencia enviada, transfer inmediata,
    transferencia realizada, spei, spei enviado, spei recibido, transferencia a terceros, giro
    recibido, transf a terceros, ted enviada, ted recebida, transferencia recebida, transferencia
    efetuada, pagamento recebido, transf para, transferência interbancária, bonifico, bonifico
    sepa, bonifico istantaneo, bonifico a favore, accredito bonifico, bonifico da, ricarica carta,
    disposizione di bonifico, vostra disposizione, bonif, overboeking, overschrijving,
    overschrijving naar, overschrijving van, internetbankieren overboeking, sepa overboeking, euro
    overschrijving, instantoverschrijving, overboeking naar, storting, internet overboeking,
    bijschrijving, överföring, overforing, överföring till, överföring från, girering, insättning,
    lb överföring, överföring mobil, överföring internet, inbetalning, utbetalning, overføring,
    overføring til, overføring fra, overførsel, overførsel til, overførsel fra, bankoverførsel,
    straksoverførsel, kontooverførsel, innskudd, overført til, overført fra, straksbetaling,
    nettbank overføring, indbetaling, tilisiirto, tilisiirto saaja, pikasiirto, viitesiirto,
    siirto, siirto tililtä, siirto tilille, tilinsiirto, talletus, przelew, przelew przychodzący,
    przelew wychodzący, przelew przychodzacy, przelew wychodzacy, przelew wewnetrzny, przelew
    wewnętrzny, przelew środków, przelew krajowy, przelew elixir, przelew natychmiastowy,
    przelewy, uznanie, převod, prevod, bezhotovostní převod, příchozí platba, odchozí platba,
    prichozi platba, odchozi platba, okamžitá platba, příchozí úhrada, odchozí úhrada, prevod na
    účet, prichádzajúca platba, odchádzajúca platba, bezhotovostni platba, sepa prevod, úhrada,
    příchozí okamžitá platba, odchozí okamžitá platba, platobný príkaz, átutalás, atutalas,
    azonnali átutalás, bejövő átutalás, forint átutalás, elektronikus bankon belüli átutalás,
    eseti átutalás, jóváírás, transfer intern, transfer interbancar, incasare, incasare ordin,
    ordin de plata, plata instant, transfer in, incasare instant, transfer homebank, alimentare
    cont, havale, gelen havale, giden havale, gelen eft, giden eft, fast havale, gelen fast, giden
    fast, para transferi, prijenos, prijenos sredstava, nakazilo, prenos sredstava, uplata na
    račun, prenos, priliv, odliv, nakazila, izvršenje naloga, prijenos s računa, bezgotovinski
    prijenos, ülekanne, makse ülekanne, ülekanne kontole, pārskaitījums, pārvedums, pervedimas,
    mokėjimo pervedimas, pavedimas, pārskaitījums uz, laekumine, pervedimas į, välkmakse,
    μεταφορά, έμβασμα, μεταφορά σε, μεταφορά από, перевод, входящий перевод, исходящий перевод,
    превод, получен превод, переказ, пополнение счета, зачисление, перевод на карту, межбанковский
    перевод, банков превод, пополнение, העברה, העברה בנקאית, העברת כספים, transfer ke, transfer
    dari, trsf e banking, chuyen tien, chuyển tiền, chuyen khoan, chuyển khoản, pindahan, pindah
    dana, transfer antar, transfer masuk, ck den, تحويل, حوالة, ach credit, autodeposit transfer,
    home banking transfer, doc enviado""",
    opening="""neft, xfer, tfr, trf, vir, bgc, fps, fednow, credit transfer, deposit from,
    zasilenie, ingreso, gutschrift von, zahlungseingang von, prevodni, bonificare""",
    closing="xfer, fps, überweisung, virement, transferencia, bonifico, przelew",
    alone="""transfer, transfers, xfer, wire, transferencias, ingreso, siirto, wire out, wire in,
    eft""",
)
# The same, but also the start of shops' names: TRANSFER STATION CAFE.
MAY_BE_TRANSFER = Wording(opening="transfer, transfers, wire, wires, remittance")
# A purchase that the bank collected like a bill.
COLLECTED_PURCHASE = Wording(
    anywhere="ihr einkauf bei, your purchase at, votre achat, su compra en, upi p2m",
)
# The same, where the text may name the customer instead of the shop.
INSTANT_TRANSFER = Wording(anywhere="inst xfer, instant xfer")
PURCHASE = Wording(
    anywhere="""purchase, card purchase, debit card purchase, pos purchase, checkcard, card
    payment, visa purchase, recurring payment authorized, ecom pur, kartenzahlung,
    debitkartenzahlung, kaufumsatz, kreditkartenumsatz, girocard, bezahlung mit karte, einkauf
    bei, pos einkauf, kartenumsatz, paiement par carte, paiement cb, achat cb, facture carte,
    paiement carte, achat carte, paiement sans contact, paiement psc, paiement en ligne, compra,
    compra con tarjeta, compra tarj, compra en, pago con tarjeta, compra no debito, compra com
    cartao, compra débito, compra crédito, pago en, pago movil en, pagamento pos, pagamento con
    carta, acquisto, acquisto pos, pagamento presso, pagamento tramite pos, pagamento bancomat,
    pagobancomat, betaalautomaat, pinbetaling, aankoop, betaling met debetkaart, bancontact
    betaling, betaalpas, kortköp, kortbetalning, kortkøb, kortkjøp, varekjøp, dankort, dankort
    køb, visa køb, kortbetaling, korttiosto, korttimaksu kauppa, kortinosto, zakup przy użyciu
    karty, płatność kartą, platnosc karta, transakcja kartą, zakup kartą, platba kartou, nákup
    kartou, nakup kartou, platba kartou v, vásárlás, kártyás vásárlás, kartyas vasarlas, cumparare
    pos, cumparaturi pos, plata pos, plata card, plata cu cardul, alışveriş, pos alisveris,
    harcama, kupovina, kupnja, plaćanje karticom, plačilo s kartico, nakup s kartico, kaardimakse,
    ostukaart, kaardi ostutehing, pirkums, pirkinys, atsiskaitymas kortele, pirkimas, kupnja
    karticom, αγορά, αγορά με κάρτα, покупка, оплата товаров, оплата картой, покупка на пос,
    плащане на пос, розрахунок карткою, купівля, רכישה, קנייה, עסקה, belanja debit, pembelian,
    thanh toan the, thanh toán thẻ, eftpos purchase, شراء, مشتريات, blik zakup, blik płatność,
    pago bizum en, compra bizum, pago con bizum, bankkártyás fizetés, bankkartyas fizetes, pix
    qrs, pix qr, atm purchase""",
    opening="""carte, cb, ec, pos, eftpos, karte, kort, osto, betalning kort, bea, visa, köp, makse
    kaart, nakup, nákup""",
)
