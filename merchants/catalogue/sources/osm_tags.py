"""What the categories of name-suggestion-index mean for payments."""

from merchants.matching.text.word_lists import word_set

# Categories of the brands tree without card payments: machines, signs and infrastructure.
DROPPED = word_set(
    """amenity/atm amenity/bicycle_parking amenity/bicycle_repair_station
    amenity/charging_station amenity/parcel_locker amenity/payment_terminal amenity/post_box
    amenity/post_depot amenity/public_bookcase amenity/recycling amenity/telephone
    amenity/vending_machine amenity/waste_basket amenity/waste_disposal amenity/give_box
    amenity/food_sharing amenity/photo_booth amenity/library amenity/animal_shelter
    amenity/social_centre advertising/totem advertising/billboard emergency/ambulance_station
    emergency/disaster_response landuse/industrial landuse/residential leisure/dog_park
    leisure/playground man_made/charge_point office/political_party office/union
    office/government club/scout tourism/information healthcare/blood_donation"""
)

# Operators that are paid by card: most others run infrastructure.
OPERATORS_KEPT = word_set(
    """operators/amenity/parking operators/amenity/car_sharing operators/amenity/hospital
    operators/amenity/post_office operators/amenity/veterinary operators/amenity/university
    operators/office/water_utility operators/office/energy_supplier operators/shop/convenience
    operators/shop/mobile_phone operators/highway/services operators/barrier/toll_booth"""
)

EUROPE = tuple(
    """AD AL AT BA BE BG BY CH CY CZ DE DK EE ES FI FR GB GR HR HU IE IS IT LI LT LU LV MC MD ME MK
    MT NL NO PL PT RO RS RU SE SI SK SM UA VA XK""".split()
)

# ISO 18245 codes under which acquirers file each category (first: the usual one).
MCCS: dict[str, tuple[str, ...]] = {
    category: tuple(codes.split())
    for category, codes in {
        "amenity/animal_boarding": "7299 0742",
        "amenity/bank": "6012 6010 6011",
        "amenity/bar": "5813 5812",
        "amenity/bicycle_rental": "7999 4111",
        "amenity/bureau_de_change": "6051 6012",
        "amenity/cafe": "5814 5812",
        "amenity/car_rental": "7512",
        "amenity/car_sharing": "7512 4121",
        "amenity/car_wash": "7542",
        "amenity/casino": "7995",
        "amenity/childcare": "8351",
        "amenity/cinema": "7832",
        "amenity/clinic": "8011 8099",
        "amenity/dentist": "8021",
        "amenity/doctors": "8011",
        "amenity/driving_school": "8299",
        "amenity/fast_food": "5814 5812",
        "amenity/fuel": "5541 5542",
        "amenity/hospital": "8062",
        "amenity/ice_cream": "5814 5451",
        "amenity/kindergarten": "8351",
        "amenity/language_school": "8299",
        "amenity/money_transfer": "4829",
        "amenity/parking": "7523",
        "amenity/pharmacy": "5912",
        "amenity/post_office": "9402 4215",
        "amenity/prep_school": "8299",
        "amenity/pub": "5813 5812",
        "amenity/restaurant": "5812 5814",
        "amenity/school": "8211",
        "amenity/university": "8220",
        "amenity/vehicle_inspection": "7549 9399",
        "amenity/veterinary": "0742",
        "healthcare/laboratory": "8071",
        "highway/services": "5541 5812",
        "leisure/bowling_alley": "7933",
        "leisure/fitness_centre": "7997 7941",
        "leisure/sports_centre": "7997 7941",
        "office/coworking": "6513 7399",
        "office/energy_supplier": "4900",
        "office/estate_agent": "6513",
        "office/insurance": "6300 5960",
        "office/telecommunication": "4814 4899",
        "office/water_utility": "4900",
        "shop/alcohol": "5921",
        "shop/baby_goods": "5641",
        "shop/bakery": "5462 5814",
        "shop/beauty": "7230 5977",
        "shop/bed": "5712",
        "shop/beverages": "5499 5921",
        "shop/bicycle": "5940",
        "shop/bookmaker": "7995",
        "shop/books": "5942",
        "shop/butcher": "5422",
        "shop/car": "5511",
        "shop/car_parts": "5533",
        "shop/car_repair": "7538 7531",
        "shop/charity": "8398 5931",
        "shop/chemist": "5912 5977",
        "shop/chocolate": "5441",
        "shop/clothes": "5651 5691",
        "shop/computer": "5732 5734",
        "shop/confectionery": "5441",
        "shop/convenience": "5411 5499",
        "shop/cosmetics": "5977",
        "shop/department_store": "5311",
        "shop/doityourself": "5200 5211",
        "shop/dry_cleaning": "7216",
        "shop/e-cigarette": "5993",
        "shop/electronics": "5732",
        "shop/fashion_accessories": "5699",
        "shop/florist": "5992",
        "shop/furniture": "5712",
        "shop/games": "5945",
        "shop/garden_centre": "5261",
        "shop/gift": "5947",
        "shop/greengrocer": "5499 5411",
        "shop/hairdresser": "7230",
        "shop/hardware": "5251 5200",
        "shop/hearing_aids": "8099 5975",
        "shop/houseware": "5719",
        "shop/jewelry": "5944",
        "shop/kiosk": "5499 5994",
        "shop/laundry": "7211",
        "shop/lottery": "7995",
        "shop/mobile_phone": "4812 4814",
        "shop/money_lender": "6012",
        "shop/motorcycle": "5571",
        "shop/music": "5735 5733",
        "shop/newsagent": "5994",
        "shop/optician": "8043",
        "shop/outdoor": "5941",
        "shop/paint": "5231",
        "shop/pastry": "5462",
        "shop/pawnbroker": "5933",
        "shop/perfumery": "5977",
        "shop/pet": "5995",
        "shop/photo": "5946",
        "shop/second_hand": "5931",
        "shop/shoes": "5661",
        "shop/sports": "5941",
        "shop/stationery": "5943",
        "shop/storage_rental": "4225",
        "shop/supermarket": "5411",
        "shop/telecommunication": "4812 4814",
        "shop/ticket": "7922",
        "shop/tobacco": "5993",
        "shop/tool_hire": "7394",
        "shop/toys": "5945",
        "shop/trade": "5211 5039",
        "shop/travel_agency": "4722",
        "shop/tyres": "5532",
        "shop/variety_store": "5331 5310",
        "shop/video_games": "5734 5945",
        "shop/watches": "5944",
        "shop/wholesale": "5300",
        "shop/wine": "5921",
        "tourism/caravan_site": "7033",
        "tourism/hostel": "7011",
        "tourism/hotel": "7011",
        "tourism/motel": "7011",
        "tourism/theme_park": "7996",
    }.items()
}
