from index.types import Sighting
from retrieval.defaults import EncountersBy
from retrieval.pipeline.intake import Occasions


def names(by: EncountersBy, *paths: str) -> list[str]:
    occasions = Occasions(by)
    return [occasions.name(Sighting(f"/photos/{path}", turtle="T1")) for path in paths]


def test_photos_of_one_folder_are_one_occasion() -> None:
    assert names(EncountersBy.FOLDER, "2019/dive/a.jpg", "2019/dive/b.jpg", "2020/dive/a.jpg") == [
        *("photos/2019/dive",) * 2,
        "photos/2020/dive",
    ]


def test_a_burst_is_photos_whose_numbers_follow_each_other() -> None:
    found = names(EncountersBy.BURST, "IMG_1.JPG", "IMG_2.JPG", "IMG_4.JPG", "IMG_9.JPG", "DSC_10.JPG", "sunset.jpg")
    assert found == [*("photos/IMG_1",) * 3, "photos/IMG_9", "photos/DSC_10", "photos/sunset"]
