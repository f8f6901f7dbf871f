"""Insured regions: whose agency, which pooling area, what they are called."""

from collections import Counter

from policies.regions import agency_of, area_of, is_region, names, place_name


def test_regions_have_agencies_areas_and_names():
    assert [agency_of("320581", level) for level in ("county", "prefecture", "province")] == [
        "320581",
        "320500",
        "320000",
    ]
    assert (agency_of("361199", "prefecture"), agency_of("310115", "prefecture")) == ("361100", "310000")
    assert [area_of("440106", width) for width in ("china", "province", "pooling_area")] == ["", "44", "4401"]
    assert area_of("500103", "pooling_area") == "50"
    assert (agency_of("429004", "prefecture"), area_of("429004", "pooling_area")) == ("429004", "429004")
    assert [place_name(r) for r in ("320581", "320582", "330106", "339900", "990000")] == [
        "常熟市", "苏州市", "杭州市", "浙江省（339900）", "990000",
    ]  # fmt: skip
    assert [is_region(r) for r in ("440100", "4401", "990100", "４４０１００")] == [True, False, False, False]


def test_every_place_of_prefecture_level_has_its_name():
    """The Ministry of Civil Affairs counts 333: 293 cities, 30 autonomous prefectures, 7 prefectures and 3 leagues."""
    assert sum(code.endswith("0000") for code in names()) == 32
    places = {code: name for code, name in names().items() if code.endswith("00") and not code.endswith("0000")}
    assert Counter(name[-1] for name in places.values()) == {"市": 293, "州": 30, "区": 7, "盟": 3}
    assert len(set(places.values())) == 333
    below = Counter(code[:2] for code in places)
    assert [below[province] for province in ("11", "32", "33", "44", "65")] == [0, 13, 11, 21, 14]
    assert set(below) == {code[:2] for code in names()} - {"11", "12", "31", "50", "66"}
