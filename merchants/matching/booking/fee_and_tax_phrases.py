"""Phrases for taxes, wages, refunds and the bank's own bookings, in the languages that banks write.

A list for each sense; `phrasebook` defines the positions in which a phrase counts, and matches
whole words without regard to case, accents and punctuation.
"""

from merchants.matching.booking.phrasebook import Wording

TAX = Wording(
    anywhere="""usataxpymt, irs treas, irs usataxpymt, irs payment, irs tax, internal revenue
    service, franchise tax bd, franchise tax board, franchise tax bo, dept of revenue, dept of
    taxation, department of revenue, state tax, income tax, property tax, council tax, stamp duty,
    road tax, withholding tax, tax payment, tax pymt, tax refund, estimated tax, quarterly tax,
    hmrc, hm revenue, h m revenue, revenue commissioners, inland revenue, tax office payments,
    australian taxation office, canada revenue agency, cra tax, revenu quebec, revenue quebec,
    finanzamt, finanzkasse, steueramt, steuerverwaltung, steuerverw, kfz steuer, lohnsteuer,
    kapitalertragsteuer, kapitalertragssteuer, kirchensteuer, umsatzsteuer, grundsteuer,
    abgeltungsteuer, abgeltungssteuer, quellensteuer, solidaritätszuschlag, bundeskasse, eidg
    steuerverwaltung, dgfip, impots gouv, impotsgouvfr, direction generale des finances publiques,
    impot revenu, impots revenus, prelevements sociaux, taxe fonciere, taxe habitation, spf
    finances, fod financien, fod financiën, tresor public, agencia tributaria, aeat, hacienda
    publica, sat impuestos, pago sat, pago referenciado sat, servicio de administracion
    tributaria, impuesto, impuestos, gmf 4x1000, gravamen movimiento, afip, sii tesoreria,
    tesoreria general de la republica, retencion fiscal, receita federal, iptu, ipva, das simples
    nacional, imposto, autoridade tributaria, autoridade tributária e aduaneira, iof, pagamento
    estado, imposto selo, agenzia entrate, agenzia delle entrate, ade riscossione, agenzia entrate
    riscossione, delega f24, pagamento f24, f24 telematico, imposta, imposta di bollo, imposte,
    ritenuta fiscale, belastingdienst, gemeentelijke belasting, gemeentebelasting,
    motorrijtuigenbelasting, skatteverket, skattekonto, skatteetaten, skattestyrelsen,
    skatteinbetalning, restskat, verohallinto, lähdevero, lahdevero, ennakonpidätys, urzad
    skarbowy, urząd skarbowy, podatek, podatek dochodowy, podatku, financni urad, finanční úřad,
    danovy urad, daňový úrad, srazkova dan, srážková daň, zrazkova dan, nav adó, nav illeték,
    személyi jövedelemadó, kamatadó, anaf, impozit, trezoreria statului, vergi dairesi, vergi,
    gelir idaresi, motorlu tasitlar vergisi, maksu ja tolliamet, valsts ieņēmumu dienests, vmi
    prie fm, porezna uprava, porez, αααδε, ααδε, φόρος, εφορία, налог, налоговая, фнс, данък,
    податок, tds on, cbdt, gst payment, מס הכנסה, sars payment, sars efiling""",
    opening="irs, ato payment, ato, ird, skat, oplata skarbowa, impots, impot, impôts, darf, нап",
    closing="steuer, belasting, skatt",
    alone="tax, taxes, steuer, steuern, impots, belasting, skatt, skat, vero, dan, porez, adó",
)
# Also pensions.
SALARY = Wording(
    anywhere="""payroll, salary, wages, dir dep, direct dep, salary payment, net pay, wage payment,
    des payroll, pension payment, state pension, gehalt, lohnzahlung, lohn gehalt,
    gehaltszahlung, bezüge, besoldung, lohnüberweisung, gehaltsüberweisung, salaire, salaires, vir
    salaire, traitement et salaires, nomina, nómina, abono nomina, sueldo, sueldos, pago de
    nomina, aguinaldo, salario, salário, pagamento salario, credito salario, ordenado, vencimento
    salario, proventos, folha de pagamento, decimo terceiro, stipendio, emolumenti, accredito
    stipendio, emolumenti stipendio, pensione inps, salaris, loonbetaling, salarisbetaling,
    bezoldiging, löneutbetalning, lønoverførsel, lønnsutbetaling, palkka, palkanmaksu, palkat,
    wynagrodzenie, wynagr, pensja, wyplata wynagrodzenia, mzda, výplata mzdy, vyplata mzdy,
    munkabér, munkaber, bérátutalás, salariu, plata salariu, drepturi salariale, maas odemesi,
    maaş ödemesi, plaća, placa za, plača za, osobni dohodak, plata za mesec, töötasu, darba alga,
    darbo užmokestis, atlyginimas, μισθοδοσία, μισθός, зарплата, заработная плата, заработна
    плата, заплата, зарплатa, משכורת, gaji, payslip""",
    opening="""lohn, rente gehalt, gehalt rente, loon, paie, wage, salary from, lön, løn, lønn,
    wedde""",
    closing="salary, wages, loon, pension, paie",
    alone="""paie, pension, rente gehalt, loon, alga, direct deposit, lön, løn, lønn, maaş,
    fizetés, palk, remuneration""",
)
# Also the bank's own credits: cashback, rewards, statement credits.
REFUND = Wording(
    anywhere="""purchase return, purchase refund, card refund, refund from, merchandise return,
    return of purchase, fee refund, fee reversal, fee rebate, reversal of, purchase reversal,
    charge reversal, fee reversed, atm rebate, atm refund, chargeback, charge back, provisional
    credit, credit voucher, merchandise credit, statement credit, balance refund, credit balance
    refund, cash back reward, cash rewards, cashback bonus, rewards credit, rewards redemption,
    cash reward, refund of, dispute credit, rebate credit, dining credit, points redemption,
    rückerstattung, erstattung, rückzahlung, gutschrift karte, kartengutschrift, rückbuchung,
    stornierung, gutschrift händler, warenrückgabe, rückvergütung, retoure gutschrift,
    remboursement, avoir cb, avoir carte, annulation achat, annulation paiement, credit carte,
    remb carte, remb cb, rembt, extourne, retrocession, contrepassation, devolucion, devolución,
    devolucao, devolução, dev compra, abono compra, anulacion compra, anulación, reembolso,
    reintegro compra, bonificacion comercio, contracargo, retrocesion, estorno, estorno compra,
    extorno, anulacao de compra, reversao, reversão, reembolso compra, rimborso, riaccredito,
    storno operazione, storno pagamento, accredito carta, riaccr, terugbetaling, retourpinnen,
    terugboeking, retour betaling, creditering, teruggave betaling, återbetalning, kortretur,
    återköp, kreditering, retur kortköp, tilbagebetaling, tilbageførsel, refusion, returnering,
    retur varekjøp, tilbakebetaling, tilbakeføring, kreditert, krediterat, palautus, hyvitys,
    maksun palautus, korttipalautus, korttihyvitys, zwrot, zwrot płatności, zwrot zakupu, zwrot
    towaru, zwrot srodkow, zwrot kartą, obciazenie zwrotne, vrácení, vrácení platby, vratka,
    refundace, vrátenie platby, refundácia, dobropis, visszatérítés, jóváírás kártya, sztornó,
    vásárlás visszavonás, storno vasarlas, visszáru, rambursare, returnare, restituire, retur pos,
    iade, alışveriş iadesi, iptal iade, povrat, povrat novca, povrat sredstava, vračilo, vracilo,
    tagasimakse, atmaksa, grąžinimas, επιστροφή, επιστροφή χρημάτων, αντιλογισμός, возврат, отмена
    покупки, възстановяване, повернення, поврат, זיכוי, החזר, pengembalian dana, bayaran balik,
    reversal pos, pos reversal""",
    opening="""refund, return, rtrn, reversal, credit refund, gutschrift, storno, avoir, remb,
    annulation, ann carte, abono, stornierung, retur, retour, tilbake, rückgabe, iptal, reversed""",
    closing="""refund, reversal, return, storno, retour, retur, gutschrift, avoir, chargeback,
    reversed""",
    alone="""refund, reversal, gutschrift, storno, avoir, rebate, cashback, adjustment purchase,
    reward, rewards, redemption, adjustment credit""",
)
FEE = Wording(
    anywhere="""overdraft fee, overlimit fee, over limit fee, nsf fee, nsf charge, transaction fee,
    foreign transaction fee, intl transaction fee, international transaction fee, trans fee, late
    fee, late payment fee, annual fee, annual membership fee, account fee, monthly fee, monthly
    service fee, maintenance fee, monthly maintenance fee, wire fee, wire transfer fee, transfer
    fee, atm fee, atm surcharge, foreign atm surcharge, cash advance fee, balance transfer fee,
    stop payment fee, returned item, return item, returned check, return check, returned payment
    fee, return check fee, returned check fee, returned item fee, return item fee, returned item
    charge, return item charge, return payment fee, paper statement fee, card replacement fee,
    dormant account fee, minimum balance fee, conversion fee, currency conversion fee, currency
    exchange fee, exchange fee, payroll fee, payroll fees, atm withdrawal fee, foreign currency
    fee, account charge, unpaid item charge, bank charge, bank charges, unarranged overdraft,
    arranged overdraft, account keeping fee, account maintenance fee, non gbp trans fee, non
    sterling transaction fee, non sterling purchase fee, insufficient funds fee, nonsufficient
    funds fee, low balance fee, inactivity fee, service charge fee, intl fee, sms charges, sms
    alert charges, debit card charges, min bal charges, card fee, loan fee, chq return charges,
    kontoführung, kontoführungsgebühr, kontoführungsentgelt, kontogebühr, kartengebühr,
    kartenentgelt, fremdwährungsentgelt, auslandseinsatzentgelt, auslandsentgelt, jahresgebühr,
    bearbeitungsgebühr, depotgebühr, mahngebühr, rücklastschriftgebühr, entgeltabschluss,
    entgeltabrechnung, kontoabschluss, abschluss entgelte, rechnungsabschluss, bankspesen,
    kontospesen, umsatzprovision, grundpreis konto, überziehungsgebühr, entgelt konto,
    buchungsentgelt, jahresbeitrag karte, bereitstellungsgebühr, dienstleistungspreisabschluss,
    fremdgebühr, frais bancaires, frais tenue de compte, frais de tenue, tenue de compte, frais
    virement, commission intervention, commission d intervention, commissions d intervention,
    cotisation carte, frais de gestion, frais retrait, frais change, frais irregularites, frais
    rejet, commission de change, commission change, frais carte, frais mensuels, frais cb, frais
    paiement hors zone euro, comision mantenimiento, comision por, comision cuenta, comisión
    mantenimiento, comision cajero, comision transferencia, comision tarjeta, comision divisa,
    comision descubierto, cuota tarjeta, cuota anual, comision anual, cuota de manejo, anualidad
    tarjeta, mantenimiento de cuenta, mantenimiento cuenta, comision por servicio, gastos
    bancarios, cuota mantenimiento, liquidacion comisiones, cobro comision, anualidad, tarifa
    bancaria, tarifa pacote, tarifa mensal, tarifa manutencao, cesta de servicos, anuidade,
    comissao, comissão manutenção, comissao manutencao, despesas de manutencao, pacote de
    servicos, tarifa saque, tar pacote, comissao cartao, manutencao de conta, canone mensile,
    canone conto, canone carta, canone annuo, commissioni, commissione prelievo, commissioni
    bancarie, spese di tenuta conto, spese tenuta conto, spese bancarie, competenze di chiusura,
    spese di gestione, commissione bonifico, costo bonifico, canone, competenze, kosten
    basispakket, kosten rekening, kosten betaalpakket, rekeningkosten, bankkosten, pakketkosten,
    kosten pakket, koersopslag, opslag koers, beheerkosten, kosten creditcard, kaartkosten, kosten
    geldopname, bijdrage rekening, beheersvergoeding, jaarlijkse bijdrage, årsavgift,
    månadsavgift, kortavgift, bankavgift, uttagsavgift, valutapåslag, årsavgift kort, prisplan,
    avgift kort, påminnelseavgift, avgift internetbank, avgift bank, årsgebyr, kortgebyr, gebyr,
    gebyrer, termingebyr, minibankgebyr, fakturagebyr, kontogebyr, purregebyr, månedspris,
    kvartalsgebyr, betalingskortgebyr, valutaveksling gebyr, palvelumaksu, palvelumaksut,
    tilinhoitomaksu, korttimaksu, kuukausimaksu, nostopalkkio, toimituspalkkio, viivästysmaksu,
    prowizja, oplata za karte, opłata za kartę, opłata za prowadzenie, opłata miesięczna, opłata
    za, oplata miesieczna, oplata za prowadzenie, prowizja za wyplate, oplata karta, oplata mies,
    opł za, poplatek, poplatky, poplatek za vedeni, poplatek za, poplatok, poplatky za vedenie,
    cena za vedeni, poplatek za vyber, számlavezetési díj, kártyadíj, havi díj, éves kártyadíj,
    tranzakciós illeték, kezelési költség, tranzakciós díj, zárlati díj, készpénzfelvételi díj,
    számlavezetés díja, díj terhelés, comision administrare, comision tranzactie, comision
    retragere, taxa administrare, comision lunar, comision interogare, hesap işletim ücreti, kart
    ücreti, kart aidati, masraf, komisyon, havale ücreti, işlem ücreti, aidat, naknada, naknada za
    vođenje, nadomestilo, vodenje računa, provizija, naknada za, vođenje računa, teenustasu,
    kuutasu, hooldustasu, hooldustasud, komisijas maksa, apkalpošanas maksa, karsu maksa,
    komisinis mokestis, mėnesinis mokestis, aptarnavimo mokestis, paslaugų planas, προμήθεια,
    έξοδα, προμήθεια ανάληψης, έξοδα τήρησης, комиссия, комисия, такса, плата за обслуживание,
    абонентская плата, ежемесячная плата, такса обслужване, комісія, плата за ведение, провизия,
    עמלה, עמלת, עמלות, דמי כרטיס, biaya admin, biaya adm, biaya transaksi, phi dich vu, phí dịch
    vụ, phi thuong nien, caj perkhidmatan, رسوم, عمولة""",
    opening="""frais, comision, comisión, comissão, commission, gebühr, gebühren, entgelt, avgift,
    gebyr, opłata, oplata, kosten, spesen, jutalék, commissione, agios, cotisation, tarifa""",
    closing="""bank fee, atm fees, overdraft charge, transfer charges, entgelt, gebühr, avgift,
    gebyr""",
    alone="""fee, fees, service charge, charge, charges, surcharge, convenience fee, annual
    membership, frais, comision, comisiones, gebühren, gebühr, entgelt, avgift, gebyr, provize,
    nsf, kosten, prowizja, spese, bollo, membership fee, conversion, agios, cotisation, tarifa,
    taxa, díj, maks, cuota""",
)
# Also dividends.
INTEREST = Wording(
    anywhere="""interest charged, interest charge, interest paid, interest payment, interest
    earned, interest credit, interest on, interest from, interest for, credit interest, debit
    interest, overdraft interest, finance charge, interest charges, gross interest, net interest,
    loan interest, purchase interest, interest capitalised, savings interest, bonus interest,
    dividend earned, dividend deposit, dividend reinvestment, sbint, int pd, int paid, int cr,
    interest adjustment, interest received, ordinary dividend, cash dividend, dividend payment,
    interest posting, zinsen, habenzinsen, sollzinsen, zinsgutschrift, zinsertrag, zinsabschluss,
    zinsbelastung, guthabenzinsen, dispozinsen, überziehungszinsen, kreditzinsen, zinsabrechnung,
    dividende, kapitalertrag, interets, intérêts, interets debiteurs, interets crediteurs,
    interets crediteur, int debiteurs, liquidacion intereses, liquidacion de intereses, intereses,
    abono intereses, cobro de intereses, interes ganado, rendimientos, liquidacion interes,
    intereses de demora, juros, juros limite, juros de mora, rendimento poupanca, rendimentos,
    encargos limite, juros credores, juros devedores, rend pago, rendimento conta, interessi,
    interessi attivi, interessi passivi, interessi debitori, interessi creditori, cedole,
    creditrente, debetrente, rentevergoeding, rente spaarrekening, roodstandrente,
    rentebijschrijving, kreditränta, sparränta, kapitaliserad ränta, inlåningsränta, kreditrenter,
    debetrenter, rentetilskrivning, tilskrevet rente, kreditrente, debitorrente, korko, korot,
    talletuskorko, koronmaksu, odsetki, kapitalizacja odsetek, odsetki debetowe, odsetek, urok,
    úrok, uroky, úroky, kreditni urok, debetni urok, pripis uroku, připsání úroku, kamatjóváírás,
    kamatterhelés, dobanda, dobândă, dobanda bonificata, faiz tahakkuku, faiz ödemesi, mevduat
    faizi, kamata, kamate, obresti, intress, intressid, procenti, procentu izmaksa, palūkanos,
    palūkanų, τόκοι, τόκος, πιστωτικοί τόκοι, χρεωστικοί τόκοι, проценты, выплата процентов,
    капитализация процентов, лихва, лихви, відсотки, ריבית, bunga tabungan, faedah, lai suat, lãi
    tiền gửi, faiz geliri, kapitalränta""",
    opening="interest, dividend, zins, zinzen, intérêt, interet, aprekin, rente, ränta, kamat",
    closing="interest, dividend, zinsen, kamat",
    alone="""interest, dividend, int, zins, interet, interes, rente, renter, ränta, kamat, faiz,
    bunga""",
)
CASH = Wording(
    anywhere="""atm withdrawal, atm withdraw, atm wdl, atm wd, atm w d, atm cash, atm debit, atm
    deposit, atm transaction, cash withdrawal, cash withdraw, cash wdl, cash advance, cash
    deposit, cash dep, cash disbursement, counter withdrawal, counter deposit, branch withdrawal,
    teller withdrawal, wdl atm, withdrawal atm, withdrawal at atm, cash machine, cashpoint, atm
    cash deposit, teller cash, cash out atm, cardless cash, lodgement cash, notemachine, cash paid
    in, cash in at, cdm deposit, cash dispensed, bna deposit, bargeld, bargeldauszahlung,
    bargeldabhebung, barabhebung, barauszahlung, bareinzahlung, geldautomat, bargeldbezug,
    bankomatbezug, bezug bancomat, bancomatbezug, geldausgabeautomat, bargeldbehebung,
    bankomatbehebung, behebung bankomat, selbstbedienungseinzahlung, bargeldeinzahlung, barbezug,
    ga nr, geldaufnahme, behebung automat, retrait dab, retrait gab, retrait especes, retrait
    espèces, retrait distributeur, retrait au distributeur, depot especes, dépôt espèces,
    versement especes, versement espèces, retrait carte, retrait au guichet, retrait banque,
    remise especes, retirada de efectivo, disposicion de efectivo, disposición efectivo, disp
    efectivo, retiro atm, retiro cajero, retiro de efectivo, retiro efectivo, reintegro cajero,
    reintegro efectivo, cajero automatico, ingreso efectivo, ingreso en efectivo, deposito en
    efectivo, deposito efectivo, extraccion cajero, extraccion efectivo, retiro en cajero, giro
    cajero, giro en cajero, avance efectivo, ing efectivo, saque, saque atm, saque 24h, saque
    banco24horas, saque dinheiro, levantamento, levantamento atm, levantamento multibanco, lev
    atm, deposito em dinheiro, depósito numerário, deposito numerario, deposito dinheiro, prelievo
    bancomat, prelievo atm, prelievo contante, prelievo contanti, prelievo sportello,
    prelevamento, prelevamento bancomat, versamento contanti, versamento contante, prelievo,
    anticipo contante, geldopname, geldautomaat, geldmaat, opname geldautomaat, contante opname,
    storting contant, contante storting, geldopvraging, opvraging, geldafhaling, opname contant,
    afstorten, bankomatuttag, kontantuttag, uttag bankomat, uttagsautomat, kontantinsättning,
    insättning kontant, bankomat, uttag, minibank, kontantuttak, uttak minibank, kontanthævning,
    hævning automat, hæveautomat, pengeautomat, kontant indbetaling, uttak, kontantinnskudd, hævet
    i automat, automathævning, käteisnosto, otto nosto, ottopiste, automaattinosto, käteispano,
    nosto automaatilta, otto automaatti, wyplata bankomat, wypłata z bankomatu, wyplata z
    bankomatu, wypłata gotówki, wyplata gotowki, bankomatu, wplata gotowki, wpłata gotówki, wpłata
    gotówkowa, wpłatomat, wplatomat, wplata we wplatomacie, wypłata, wypłata kartą, vyber z
    bankomatu, výběr z bankomatu, vyber hotovosti, výběr hotovosti, vklad hotovosti, výber z
    bankomatu, výběr z atm, hotovostní vklad, výber hotovosti, vkladomat, készpénzfelvétel,
    keszpenzfelvetel, atm készpénzfelvétel, készpénzbefizetés, kp felvét, pénzautomata, retragere
    numerar, retragere atm, retragere de numerar, depunere numerar, ridicare numerar, eliberare
    numerar, para çekme, para cekme, nakit çekim, atm para cekme, para yatırma, nakit avans,
    bankamatik, para yatirma, isplata gotovine, podizanje gotovine, podizanje novca, isplata na
    bankomatu, dvig gotovine, dvig na bankomatu, dvig bankomat, uplata gotovine, polog gotovine,
    sularaha väljamakse, sularahaautomaat, skaidras naudas izņemšana, grynųjų pinigų išėmimas,
    grynųjų išgryninimas, grynieji pinigai, skaidrās naudas izmaksa, sularaha sissemakse, ανάληψη,
    ανάληψη μετρητών, ανάληψη atm, κατάθεση μετρητών, снятие наличных, выдача наличных, внесение
    наличных, банкомат, теглене, теглене на атм, зняття готівки, видача готівки, пополнение
    наличными, теглене в брой, вноска в брой, משיכת מזומן, כספומט, משיכה מבנקט, הפקדת מזומן, סחב
    כספומט, سحب نقدي, صراف آلي, إيداع نقدي, tarik tunai, penarikan tunai, setor tunai, pengeluaran
    tunai, rut tien, rút tiền, rut tien atm, nwd, atw, cwdr""",
    opening="""atm, retrait, retiro, reintegro, disposicion, opname, vyber, výběr, výber, isplata,
    geldausgabe, gea, hævning, nosto, extraccion, dvig, giro atm, withdrawal atm, atmd""",
    alone="cash, efectivo, especes, contanti, hotovost, atm, atmd, gotówka",
)

# Languages without blanks between words: these count anywhere.
UNSPACED = {
    "tax": "税金 所得税 住民税 自動車税 国税"
    " 税务 稅務 국세 지방세 세금 ภาษี",
    "salary": "給与 給料 賞与 工资 工資 薪资"
    " 薪資 代发工资 급여 월급 상여금 เงินเดือน",
    "refund": "返金 払戻 退款 退货"
    " 退貨 환불 취소 คืนเงิน",
    "fee": "手数料 手续费 手續費 年费 年費"
    " 年会費 管理费 수수료 연회비 ค่าธรรมเนียม",
    "interest": "利息 利子 结息"
    " 結息 이자 ดอกเบี้ย",
    "cash": "引出 引き出し 預入 カードローン 現金 取款 提款"
    " 存款 现金 現鈔 현금 출금 입금기 ถอนเงิน ฝากเงิน",
    "bill_payment": "口座振替 自動引落 公共料金 代扣 缴费 繳費"
    " 水电费 自动扣款 자동이체 공과금 ชำระบิล หักบัญชี",
    "transfer": "振込 振替 転账 转账 轉帳"
    " 轉賬 汇款 匯款 이체 송금 โอนเงิน",
    "purchase": "消费 消費 购物 購物"
    " デビット利用 カード利用 결제 구매 ซื้อสินค้า",
}  # fmt: skip
