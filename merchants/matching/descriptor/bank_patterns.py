"""Bank wording before and after a merchant's name, as regular expressions.

`<date>` and `<time>` stand for the ways in which banks write these. Case does not matter.
Clients write the texts: whatever can match in several ways, such as adjacent runs of blanks, must
be possessive (`\\s++`), or some text takes minutes.
"""

from merchants.matching.text.word_lists import word_set

# Cash and the bank's own bookings: no merchant, whatever follows.
CASH = (
    r"(?:\S++\s++){0,3}?ATM\s+(?:CASH|WITHDRAW\w*|WDL?|W/D|DEBIT|DEPOSIT|FEE|SURCHARGE|TRANSACTION)\b",
    r"(?:CASH\s+(?:WITHDRAW\w*|WDL?|DEPOSIT|ADVANCE)|COUNTER\s+(?:WITHDRAWAL|DEPOSIT))\b",
    r"(?:CASH\s+)?WITHDRAWAL\s+(?:AT|FROM)\b.*\b(?:ATM|BRANCH)\b",
    (
        r"(?:RETRAIT|PRELIEVO|PRELEVAMENTO|REINTEGRO|RETIRO|SAQUE|LEVANTAMENTO|BARGELD\w*|GELDAUTOMAT"
        r"|GELDAUFNAME|BANKOMATUTTAG|UTTAG|UTTAK|WYP[ŁL]ATA|V[ÝY]B[ĚE]R|OPNAME|DISPOSICION)\b"
    ),
    r"(?:GEA[,\s]|GELDMAAT|GELDOPNAME)",
    r"(?:ATW|CWDR|NWD|ATM)[-/]",
    r"(?:WDL?|WITHDRAWAL)\s+(?:AT\s+)?ATM\b",
    r"(?:FOREIGN\s+)?ATM\s+(?:REBATE|REFUND)\b",
)

# Movements of money between accounts and people: a merchant only if the catalogue knows one.
MOVEMENTS = (
    (
        r"(?:(?:ONLINE|MOBILE|WIRE|INTERNET|BOOK|RECURRING|DOMESTIC|INTERNATIONAL|OUTGOING|INCOMING"
        r"|INTERNAL|EXTERNAL|ACCOUNT|BANK|SAVINGS|FUNDS?|REALTIME|REAL\s+TIME|INSTANT|BANKING|ACH|WEB"
        r"|PHONE|TELEPHONE|DEPOSIT|WITHDRAWAL|HOME|OVERDRAFT)\s++)++(?:TRANSFER|XFER|TRF|TFR)\b"
    ),
    (
        r"(?:TRANSFER|XFER|TRF|TFR)\b\s*+(?:-\s*+)?(?:(?:FUNDS?|WITHDRAWAL|DEPOSIT|DEBIT|CREDIT)\s++)*+"
        r"(?:TO|FROM|FEE|REF|\d|$)"
    ),
    r"(?:INTERAC\s+)?E-?(?:TRANSFER|TFR)\b",
    r"(?:BILL\s+PAYMENT\s+)?(?:VIA\s+)?FASTER\s+PAYMENTS?\s+(?:RECEIPT|RECEIVED|FROM|TO\s+MR?S?\b)",
    r"BILL\s+PAYMENT\s+VIA\s+FASTER",
    r"(?:BANK\s+GIRO\s+CREDIT|BGC|FPI|FPO)\b",
    r"PIX\s*-?\s*(?:ENVIADO|RECEBIDO|TRANSF\w*|DES)\b",
    r"(?:NEFT|RTGS|IMPS)\b",
    r"(?:TRANSFERENCIA|TRANSFER[ÊE]NCIA|TRASPASO|BIZUM|SPEI|BONIFICO|GIROCONTO)\b",
    (
        r"VIR(?:EMENT)?\s+(?:SEPA\s+|INST\w*\s+|PERMANENT\s+)*(?:DE|VERS|EMIS|RE[CÇ]U|SALAIRE|LOYER|MR?"
        r"|MME|MLLE)\b"
    ),
    r"(?:(?:EXTERNAL|DIRECT|DIR|MOBILE|ACH|REMOTE|PAYROLL|ONLINE|CHECK|CASH)\s++)++DEPOSIT\b",
    r"DEPOSIT\s*(?:ACH|FROM|ID|NUMBER|TRANSFER|[-#\d]|$)",
    r"(?:DIRECT|DIR|ACH|PAYROLL)\s+DEP\b",
    r".*\bPAYMENTS?\s*+(?:[-–,.]\s*+)?THANK\s?YOU\b",
    (
        r"(?:COTISATION|FRAIS|AGIOS|ECH[EÉ]ANCE|COMISI[OÓ]N|COMISS[AÃ]O|TARIFA|LIQUIDACI[OÓ]N|IMPOSTA"
        r"|COMMISSION[IE]?S?|COMPETENZE|CANONE|ENTGELT|KONTOF\w+|ABSCHLUSS|ZINSEN|GEB[UÜ]HR"
        r"|KONTOABRECHNUNG|IOF|JUROS|ANUIDADE|ANUALIDAD|PROWIZJA|ODSETKI|OP[ŁL]ATA)\b"
    ),
    (
        r".*\b(?:PAYROLL|DIRECT\s+DEP(?:OSIT)?|DIR\s+DEP|SALARY|SALAIRE|GEHALT|LOHN|N[OÓ]MINA"
        r"|STIPENDIO|LÖN|WYNAGRODZENIE)\b"
    ),
    (
        r"(?:OVERDRAFT|NSF|RETURNED|RETURN|LATE|INTEREST|FINANCE|FOREIGN|NON[- ]\S+|INT'?L|ANNUAL"
        r"|MONTHLY|BALANCE|CASH\s+ADVANCE|MINIMUM|STOP\s+PAYMENT|WIRE|ACCOUNT|DORMANT|PAPER)\b.*"
        r"\b(?:FEES?|CHARGES?|CHARGED|INTEREST|CREDIT)$"
    ),
    r"INTEREST\s+(?:CHARGED?|PAID|PAYMENT|EARNED|CREDIT|ON|FROM|FOR)\b",
)

# Before the merchant's name.
PREFIXES = (
    (
        r"(?:PURCHASE|PUR)\s+(?:WITH|W/)\s*CASH\s?BACK(?:\s+\$?\s?[\d.,]+)?(?:\s+AUTHORI[SZ]ED\s+ON"
        r"\s+<date>)?"
    ),
    r"(?:WEB|TEL|PPD|CCD)\s+AUTHORI[SZ]ED\s+(?:PMT|PAYMENT)",
    r"(?:ELECTRONIC|ONLINE|WEB|TEL)\s+(?:PMT|PAYMENT|PYMT)\s?-\s?(?:WEB|TEL|PPD|CCD)",
    (
        r"(?:EXTERNAL|ELECTRONIC|ONLINE|ACH|PREAUTHORI[SZ]ED|RECURRING|POS|DEBIT|CARD)\s+WITHDRAWAL"
        r"(?:\s+(?:ACH|POS|DEBIT))?"
    ),
    r"WITHDRAWAL\s+(?:ACH|POS|DEBIT(?:\s+CARD)?|BILL\s+PAYMENT|ONLINE|EXTERNAL)(?:\s+\#?\d{4,})?",
    r"DIRECT\s+DEBIT\s+(?:PAYMENT|PYMT)?(?:\s*TO)?(?:\s+\d{5,})?",
    r"(?:PAGO|COMPRA)\s+(?:M[OÓ]VIL|CONTACTLESS|BIZUM|APPLE\s?PAY|INTERNET)(?:\s+(?:EN|DE|A))?",
    r"PAGAMENTO\s+(?:SU|VIA|CON|TRAMITE)\s+(?:POS|CARTA)",
    r"VISA\s+(?:CHECK|DEBIT|CREDIT)\s+CARD(?:\s+\d{4})?",
    r"(?:VISA|MC|MASTERCARD)\s+DDA\s+(?:PUR|PURCHASE|REF|CR)(?:\s+AP)?(?:\s+\d{4,})?",
    r"DDA\s+(?:PUR|PURCHASE|WITHDRAW\w*)(?:\s+AP)?(?:\s+\d{4,})?",
    r"(?:DEBIT\s+|CARD\s+|CASHBACK\s+)*PURCHASE\s*(?:-|WITH|W/)\s*(?:SIGNATURE|SIG|PIN)(?:\s+<date>)?",
    r"(?:EFT|ELECTRONIC\s+FUNDS\s+TRANSFER)\s+(?:DEBIT|PAYMENT|PMT|WITHDRAWAL|PURCHASE)",
    r"(?:PENDING|PREAUTH|PRE-?AUTHORI[SZ]ATION|PROCESSING|CASHBACK)\b\s*:?(?:\s+PURCHASE)?",
    r"PAYMENT\s+(?:TO|AT)",
    r"BILL\s?(?:PAY|PMT|PYMT)(?:\s+TO)?(?=\s+\S{3})",
    r"(?:FPS|BACS|EFT|GPAY)(?:\s+(?:TO|FROM))?(?=\s+\S{3})",
    r"(?:MB\s?WAY|DUITNOW|INSTAPAY|PAYNOW|PROMPTPAY)(?:\s+(?:QR|TO))*(?=\s+\S{3})",
    r"YOU\s+(?:PAID|SPENT\s+(?:[^\w\s]?[\d.,]+\s+)?AT)",
    r"(?:TEL|WEB|AUTO|E)[\s-]?(?:PMT|PAYMENT|PAY|PYMT)",
    r"CHK\s?(?:CARD|CRD)(?:\s+\d{4})?",
    r"INTERAC(?=\s)",
    r"EC-(?:KARTE|CASH)",
    r"PAID\s+TO\s*-?",
    r"DANKORT-?\s?K[ØO]B",
    r"POINT\s+OF\s+SALE\s+(?:PURCHASE|DEBIT|WITHDRAWAL)\s+L\d{3}",
    r"(?:POS|ECOM)/",
    r"IB\s+BILLPAY\s+DR-",
    r"ABO(?=\s[A-Z]{3})",
    r"ECOM(?:\s+PUR(?:CHASE)?)?[/\s]",
    r"\[[A-Z]{2}\]",
    r"\d{4}\s+<date>(?:\s+[CD](?=\s))?",
    r"V\d{4}\s+<date>",
    r"DOP\.?\s+MC\s+\d+",
    r"RETAIL\s+PURCHASE(?:\s+\d{6,})?",
    r"BETALING\s+(?:VIA|MET)\s+DEBETKAART(?:\s+<date>)?",
    r"DBT\s+CRD\s*(?:\d{4})?(?:\s+<date>)?(?:\s+\d{6,})?",
    r"(?:CONTACTLESS\s+)?INTERAC\s+(?:E-?TRANSFER|PURCHASE|RETAIL\s+PURCHASE)\s*-?(?:\s*\d{4,})?",
    r"(?:POINT\s+OF\s+SALE\s*-\s*)?INTERAC\s+(?:RETAIL\s+)?PURCHASE(?:\s+\d{4,})?",
    (
        r"(?:(?:PRE-?|NON-?)?AUTHORI[SZ]ED\s+)?(?:RECURRING|ONE-?TIME)\s+(?:DEBIT\s+|CREDIT"
        r"\s+)?(?:CARD\s+)?(?:PAYMENT|PURCHASE|PMT|TRANSACTION|BILL)?(?:\s+AUTHORI[SZ]ED\s+ON"
        r"\s+<date>)?"
    ),
    (
        r"(?:CARD\s+|DEBIT\s+|ONLINE\s+|RECURRING\s+)?(?:PURCHASE|PAYMENT|RETURN|REFUND"
        r"|TRANSACTION)(?:\s+RETURN)?\s+(?:INTL\s+|CARD\s+)?AUTHORI[SZ]ED\s+ON\s+<date>"
    ),
    r"AUTHORI[SZ]ED\s+ON\s+<date>",
    (
        r"(?:VISA|MASTERCARD|MAESTRO|AMEX|MC|MCD|INTERAC|EFTPOS|CONTACTLESS|CHIP|TAP|DBT|DEBIT"
        r"|CREDIT|CHECK|BANK|POS|EXTERNAL|ELECTRONIC|ONLINE|RECURRING|INTERNATIONAL|INTL"
        r"|FOREIGN|GENERIC|PIN(?:LESS)?|SIG(?:NATURE)?|CARD|MOBILE|DOMESTIC|US|PENDING|PENDING:"
        r"|TEMPORARY|PRE-?AUTH|WITHDRAWAL|DDA|IDP|IOD|PREAUTHORIZED)(?:\s*+[-–/])?+\s++(?:(?:CARD"
        r"|DEBIT|VISA|MC|MASTERCARD|POS|CREDIT|PIN|SIGNATURE|INTERAC|TAP|CHIP|BILL|RETAIL"
        r"|POINT[ ]OF[ ]SALE|DDA|ACH)(?:\s*+[-–/])?+\s++)*(?:PURCHASES?|PURCH|PUR|PURCHSE|PAYMENT"
        r"|PMT|PYMT|DEBIT|TRANSACTION|TXN|TRANS|SALE|REFUND|RETURN|WITHDRAWAL|CRD|CREDIT|CARD"
        r"|BILL[ ]PAYMENT|PAYMENT[ ]TO|MERCHANDISE)(?:\s*[-–]\s*(?:VISA|MC|MASTERCARD|DEBIT"
        r"|CREDIT|INTERAC|PIN|POS))?(?:\s+(?:TO|AT|FROM|ON|-))?(?:\s+<date>(?:\s+<time>)?)?"
    ),
    r"POS(?:\s+(?:PUR|DEB|DB|DR|TRANSACTION|W/D|TERMINAL|SALE|MAC|SIG))?(?:\s+<date>)?",
    (
        r"(?:CHECK|DEBIT|CREDIT|ATM)\s?(?:CARD|CRD)(?:\s+(?:PURCHASE|PUR|DEBIT|TRANSACTION))?"
        r"(?:\s+\d{4})?"
    ),
    r"PAYMENT\s+\d{5,}",
    r"\d{4,6}[X*]{4,}\d{4}",
    r"OPOS",
    r"IDP(?:\s+PURCHASE)?(?:\s*-\s*\d{4})?",
    r"FPOS",
    r"APOS",
    r"RPOS",
    r"\*\d{4}\s+<date>\s+[A-Z]{3}\s+[\d.,]+",
    r"(?:DATO|DATUM):?\s*<date>",
    r"CHECKCARD\s+\d{4}",
    r"CKCD\s+(?:DEBIT\s+)?(?:<date>|\d{4})?",
    r"PURCHASE(?:\s+(?:AT|FROM|-))?",
    r"POINT\s+OF\s+SALE(?:\s+(?:DEBIT|PURCHASE|WITHDRAWAL))?",
    r"(?:DIRECT|AUTOMATIC)\s+DEBIT(?:\s+(?:TO|PAYMENT))?",
    r"DIRECT\s+PAYMENT",
    r"EFTPOS(?:\s+DEBIT)?",
    (
        r"(?:STANDING\s+ORDER|BILL\s+PAYMENT|CARD\s+PAYMENT|FASTER\s+PAYMENT|CONTACTLESS"
        r"\s+PAYMENT)(?:\s+TO)?"
    ),
    r"DD(?=\s+[A-Z]{3})",
    r"D/D",
    r"S/O",
    r"CPM",
    r"VIS",
    r"\)\)\)",
    r"\)\)",
    r"ACH\s+(?:DEBIT|PAYMENT|PMT|WITHDRAWAL|HOLD)?",
    r"PREAUTHORIZED\s+(?:DEBIT|WD|PAYMENT)",
    r"(?:APL|APPL|APPLE|AAPL|GPAY|GGL|GOOGLE|SAMSUNG|ANDROID|GOOG)\s?PAY(?:\s+PURCHASE)?(?=\s)",
    r"APLPAY",
    r"GGLPAY",
    r"GGLPAY",
    r"PAYPASS",
    r"PAYWAVE",
    r"TAP\s+(?:AND|N|&)\s+(?:PAY|GO)",
    # German
    (
        r"(?:SEPA[- ]?)?(?:BASIS|FIRMEN|FOLGE|ERST|EINZUGS)?[- ]?(?:LASTSCHRIFT|LASTSCHR)"
        r"(?:EINZUG)?(?:\s+(?:VON|AN))?"
    ),
    r"(?:DEBIT)?KARTENZAHLUNG(?:\s+(?:BEI|AN|GIROCARD|DEBIT|VISA|MASTERCARD))?",
    (
        r"(?:EC|GIROCARD|MAESTRO|V\s?PAY|ELV)(?:[- ](?:KARTE|CASH|ZAHLUNG|LASTSCHRIFT))?(?:"
        r"\s+(?:BEI|\#\d+|<date>(?:\s+<time>)?))"
    ),
    r"KAUFUMSATZ",
    r"KREDITKARTENUMSATZ",
    r"(?:SEPA[- ]?)?(?:[UÜ]BERWEISUNG|DAUERAUFTRAG|ECHTZEIT)(?:\s+AN)?",
    r"BEZAHLUNG\s+(?:MIT\s+)?(?:KARTE|BANCOMAT|TWINT)?",
    r"(?:EINKAUF|ZAHLUNG)\s+(?:BEI|AN|DEBIT\S*)",
    r"TWINT(?=\s+\S{3})",
    r"POS\s+EINKAUF",
    # French
    (
        r"(?:PAIEMENT|ACHAT|RETRAIT|FACTURE|PAIEMT|PMT)\s+(?:PAR\s+)?(?:CARTE|CB|CARTE"
        r"\s+BANCAIRE|PSC|SANS\s+CONTACT|EN\s+LIGNE|INTERNET|MOBILE|INTERAC)?(?:"
        r"\s+[X*]+\d{4})?(?:\s+(?:DU|CHEZ|N\S?\d+))?(?:\s+<date>|\s+\d{4}(?=\s+[A-Z])|"
        r"\s+\d{6}(?=\s))?"
    ),
    r"CARTE(?:\s+(?:BANCAIRE|BLEUE|VISA|N\S?))?(?:\s+X*\d{4})?(?:\s+(?:DU\s+)?<date>)?",
    r"CB\s*(?:\*\d{4})?(?:\s+<date>)?",
    r"FACT(?:URE)?\s+(?:CARTE|CB)?(?:\s+DU)?(?:\s+<date>|\s+\d{6})?",
    r"(?:PRLV|PRELEVEMENT|PRÉLÈVEMENT|PREL)(?:\s+(?:SEPA|EUROPEEN|EUROPÉEN|\d{4,}|DE(?=\s)))*",
    r"VIR(?:EMENT)?(?:\s+(?:SEPA|INST|INSTANTANE|PERMANENT))?(?:\s+(?:DE|VERS|A))?(?=\s)",
    # Spanish, Portuguese, Italian
    (
        r"(?:COMPRA|PAGO|CARGO|RECIBO|ADEUDO|COMPRAS)(?:\s+(?:EN|CON|TARJ(?:ETA)?\.?|DE|TPV"
        r"|ONLINE|INTERNACIONAL|NACIONAL|CARTAO|CARTÃO|D[ÉE]BITO|CR[ÉE]DITO|DEB\S*|NO|VISA"
        r"|MAESTRO|INTERNET|[*X]+\d{4}|\d{4}[*X]+\d{4}|\d{4}(?=\s)))*(?:\s+<date>)?[,:.]?"
    ),
    r"TARJ(?:ETA)?\.?\s*+(?::\s*+)?[*X\d]+",
    r"(?:D[ÉE]BITO|DEBITO)\s+(?:DIRETO|DIRECTO|EM\s+CONTA|DD)",
    (
        r"(?:PAGAMENTO|PAGAM\.?|PAG\.?|ADDEBITO|ACQUISTO|OPERAZIONE|SPESA)(?:\s+(?:POS|CARTA"
        r"|CON|PRESSO|TRAMITE|BANCOMAT|NEXI|SDD|DIRETTO|CONTACTLESS|INTERNET|ONLINE|DEL|EM|DE"
        r"|CONTA|VISA|DEBIT|MAESTRO|<date>|<time>))*[:.]?"
    ),
    r"PIX\s+(?:QRS?|ENVIADO|DES)?",
    r"COMPRA\s+CART\S*",
    # Dutch, Nordic, Polish, Czech
    (
        r"(?:BETAALAUTOMAAT|BETALING|PINBETALING|BEA|INCASSO|SEPA\s+INCASSO(?:\s+ALGEMEEN\S*)?"
        r"|BANCONTACT|AANKOOP(?:\s+BANCONTACT)?|GEA)(?:\s+(?:MET|BIJ|DOORLOPEND|CONTACTLOOS"
        r"|VIA))?,?"
    ),
    (
        r"(?:KORTK[ÖO]P|KORTK[ØO]B|K[ÖO]RTK[ÖO]P|KORTBETALNING|KORTKJ[ØO]P|VAREKJ[ØO]P|VISA\s+VAREKJ[ØO]P"
        r"|BETALNING|DANKORT(?:-NOTA|K[ØO]B)?|VISA/DANKORT|KORTTIOSTO|OSTO|K[ÖO]P|KORT|AUTOGIRO"
        r"|VIPPS|SWISH|MOBILEPAY|AVTALEGIRO|E-?FAKTURA)(?:\s+(?:TIL|HOS))?[:]?(?:"
        r"\s+<date>)?(?=\s)"
    ),
    (
        r"(?:P[ŁL]ATNO[ŚS][ĆC]|ZAKUP|TRANSAKCJA|OPERACJA|PLATBA|N[ÁA]KUP)(?:\s+(?:KART[ĄA]"
        r"|KARTOU|PRZY|U[ŻZ]YCIU|KARTY|BLIK|INTERNET\S*))*[:]?"
    ),
    r"BLIK(?=\s\S{3})",
    # Numbers and dates in front
    r"<date>(?:\s+<time>)?",
    r"(?:CARD|KARTE|CARTE|KAART|KORT)\s*(?:NO\.?\s*)?[X*]*\d{4}",
    r"[X*]{2,}\d{4}",
    r"VISA\s+\d{4,6}(?=\s+\S)",
    r"\d{6}(?=\s+[A-Z])",
    r"\*\d{4}(?=\s)",
    r"[-–:,;.|]+",
)

# After the merchant's name and location.
SUFFIXES = (
    (
        r"(?:CARD|KARTE|CARTE|KAART|PAS|KORT|CARD\s+ENDING(?:\s+IN)?)\s*+(?:NO\.?:?|NR\.?:?"
        r"|\#)?\s*+(?:[X*.]*\d{3,4}|[X*]{4,}+\d*+)?"
    ),
    r"VALUE\s+DATE:?\s*<date>",
    r"(?:TAP\s+AND\s+PAY|TAP\s+&\s+PAY|CONTACTLESS)(?:\s+[X*]+\d+)?",
    r"[X*]{2,}\d{4}",
    r"APPLE\s+PAY",
    r"GOOGLE\s+PAY",
    r"SAMSUNG\s+PAY",
    r"MOBILE\s+PAY(?:MENT)?",
    r"[SP][\d*]{9,20}",  # digits of it may look like a card's, and be masked
    r"(?:ON|DU|DEL|VOM|AM|LE|OP|DEN|VALEUR|PURCHASE\s+ON)\s+<date>",
    r"<date>(?:[ /T]+<time>)?(?:\s+\d{2,4})?",
    r"<time>(?:\s?[AP]M)?",
    r"\d{2}[A-Z]{3}\d{2,4}",
    (
        r"(?:ON\s+)?\d{1,2}\s?(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC)[A-Z]*\.?(?:"
        r"\s+\d{2,4})?(?:\s+(?:BCC|CLP|BDC|CPM))?"
    ),
    (
        r"(?:REF|REFERENCE|RFC|TRACE|AUTH|TRN|TXN|TRANS(?:ACTION)?|MANDATE?|MANDAT|MREF|EREF"
        r"|KREF|SVWZ|KUNDENNR|KD-?NR|INVOICE|RECHNUNG|RG|FACT|FACTURE|FACTURA|BELEG|FOLGENR|VERFALLD"
        r"|KENMERK|ICS|WEB\s+ID|PPD\s+ID|CCD\s+ID|IBAN|BIC)\s*+(?:NO\.?|NR\.?|\#|\+|ID|NUMBER"
        r"|NUMMER)?[.:\#]?\s*+(?=[-/\w.*]*?\d)[-/\w.*]++"
    ),
    (
        r"(?:RECHNUNG|FACTURE|SAGT\s+DANKE|DANKE|DANKT|VIELEN\s+DANK|MERCI|GRACIAS|THANK\s+YOU"
        r"|INTERNATIONAL\s+TRANSACTION|RECURRING|PAYPASS|PAYWAVE|VISA\s+DEBIT|DEBIT\s+CARD|POS"
        r"\s+PURCHASE|POS\s+DEBIT|PENDING)"
    ),
    r"(?:USD|EUR|GBP|CAD|AUD|CHF|NOK|SEK|DKK)\s?\d+[.,]\d{2}",
    r"\d+[.,]\d{2}\s?(?:USD|EUR|GBP|CAD|AUD|CHF|NOK|SEK|DKK)",
    r"@\s?\d+[.,]\d+",
    r"(?:EXCHANGE|FX)\s+RATE.*",
    r"(?:KURS|VALUTAKURS|KURSSI):?\s*[\d.,]+",
    r"(?:DATO|DATUM|DATE|FECHA|DATA):?\s*<date>",
    r"CD\s+\d{4}",
    r"CB\s?\*\s?\d{4}",
    r"\d{9,}",
    r"CHK\s+\d{4}",
    r"(?:OUTSIDE|INSIDE)",
)

# Single words before the name: a run of them is bank wording if one of them is strong.
STRONG_WORDS = word_set(
    """PURCHASE PUR PURCH PURCHSE PMT PYMT POS DEBIT WITHDRAWAL WTHDRWL WDL WD ACH TRAN TRANS TXN
    TRANSACTION RECUR RECURRING CHECKCARD CRD DBT DDA RTRN RETURN REFUND AUTHORIZED AUTHORISED
    PREAUTHORIZED PREAUTHORISED CKCD CHKCARD POINT-OF-SALE INTL INT'L EFTPOS
    NON-PIN AUTH"""
)
WEAK_WORDS = word_set("VISA MASTERCARD MCARD CARD CHECK DEB MOBILE CONTACTLESS")
# The first word of some merchants too: bank wording only after a dash or between other such words.
AMBIGUOUS_WORDS = word_set(
    """SIGNATURE SIG PIN DIGITAL MERCHANT TERMINAL ELECTRONIC ELEC CREDIT ATM ONLINE EXTERNAL WEB
    MC DB DR DIRECT POINT OF SALE CHIP TAP BANK AUTO PENDING REF AP LOCAL DOMESTIC FOREIGN
    INTERNATIONAL"""
)
