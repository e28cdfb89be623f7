"""The registry's tables, as numbered migrations; each commits together with its own record.

There are no primary keys, indexes or foreign keys on purpose: DuckDB checks them too eagerly when one
transaction changes a row twice, and scans of sorted columns are fast enough. `index.catalog` keeps ids unique
and references whole, and `turtleidx check` verifies it. A journalled table's first column is its key.
"""

from __future__ import annotations

FIRST = """
CREATE TABLE events (
    id BIGINT, made_at TIMESTAMP, who VARCHAR, action VARCHAR, command VARCHAR, why VARCHAR, undoes BIGINT,
    token VARCHAR
);
CREATE TABLE journal (seq BIGINT, event BIGINT, record VARCHAR, key VARCHAR, before JSON, after JSON);
CREATE TABLE counters (name VARCHAR, next BIGINT);
CREATE TABLE turtles (
    key BIGINT, id VARCHAR, status VARCHAR, species VARCHAR, note VARCHAR, tags VARCHAR[], merged_into BIGINT
);
CREATE TABLE encounters (id BIGINT, turtle BIGINT, day DATE, name VARCHAR, note VARCHAR);
CREATE TABLE photos (
    id BIGINT, sha256 VARCHAR, path VARCHAR, relative VARCHAR, encounter BIGINT, removed BOOLEAN,
    side VARCHAR, taken_on DATE, species VARCHAR, site VARCHAR, observer VARCHAR, latitude DOUBLE, longitude DOUBLE,
    box_x DOUBLE, box_y DOUBLE, box_w DOUBLE, box_h DOUBLE, notes JSON,
    keypoints INTEGER, quality DOUBLE, width INTEGER, height INTEGER
);
CREATE TABLE models (kind VARCHAR, recipe VARCHAR, payload VARCHAR, made_at TIMESTAMP, event BIGINT);
CREATE TABLE settings (name VARCHAR, value VARCHAR);
CREATE TABLE descriptors (photo BIGINT, event BIGINT, vector BLOB);
"""

DECISIONS = """
CREATE TABLE queries (id BIGINT, sha256 VARCHAR, path VARCHAR, verdict VARCHAR, evidence VARCHAR, made_at TIMESTAMP);
CREATE TABLE decisions (
    id BIGINT, query BIGINT, answer VARCHAR, turtle BIGINT, who VARCHAR, why VARCHAR, made_at TIMESTAMP
);
"""

REVIEWS = """
CREATE TABLE reviews (id BIGINT, first BIGINT, second BIGINT, who VARCHAR, why VARCHAR, made_at TIMESTAMP);
"""

REREAD = """
CREATE TABLE reread (
    photo BIGINT, recipe VARCHAR, keypoints INTEGER, quality DOUBLE, width INTEGER, height INTEGER, vector BLOB
);
"""

RECENT_SCORES = """
CREATE TABLE recent_scores (
    sha256 VARCHAR, encounter VARCHAR, score DOUBLE, gallery BIGINT, model BIGINT, made_at TIMESTAMP
);
"""

SIGHTINGS = """
ALTER TABLE photos ADD COLUMN sighting VARCHAR;
ALTER TABLE photos ADD COLUMN reader INTEGER;
ALTER TABLE photos ADD COLUMN reading INTEGER;
ALTER TABLE photos ADD COLUMN read_box DOUBLE[];
ALTER TABLE photos ADD COLUMN taken_at VARCHAR;
ALTER TABLE photos ADD COLUMN content VARCHAR;
ALTER TABLE reread ADD COLUMN sighting VARCHAR;
ALTER TABLE reread ADD COLUMN reader INTEGER;
ALTER TABLE reread ADD COLUMN reading INTEGER;
ALTER TABLE reread ADD COLUMN taken_at VARCHAR;
ALTER TABLE reread ADD COLUMN content VARCHAR;
UPDATE photos SET sighting = sha256, reader = 1, reading = 1,
    read_box = CASE WHEN box_x IS NULL THEN [] ELSE [box_x, box_y, box_w, box_h] END;
"""
"""A photo is a file, a head box and the reader that read it; `sighting` is what its features are kept under.

`content` is the digest of the file without its metadata.
"""

ANSWERS = """
CREATE TABLE rejections (
    id BIGINT, encounter BIGINT, turtle BIGINT, photos BIGINT[], seen BIGINT[], who VARCHAR, why VARCHAR,
    made_at TIMESTAMP
);
CREATE TABLE proposals (
    id BIGINT, encounters BIGINT[], answer VARCHAR, turtle BIGINT, who VARCHAR, why VARCHAR, made_at TIMESTAMP
);
CREATE TABLE answers (
    key VARCHAR, event BIGINT, answer VARCHAR, turtle VARCHAR, who VARCHAR, seconds DOUBLE, made_at TIMESTAMP
);
"""

HEADS = """
ALTER TABLE photos ADD COLUMN box_origin VARCHAR;
ALTER TABLE photos ADD COLUMN box_confidence DOUBLE;
CREATE TABLE readings (
    photo BIGINT, event BIGINT, waiting BOOLEAN, keypoints INTEGER, quality DOUBLE, width INTEGER, height INTEGER,
    sighting VARCHAR, reader INTEGER, reading INTEGER, read_box DOUBLE[], taken_at VARCHAR, content VARCHAR, vector BLOB
);
"""
"""Who says where a head is. `readings` holds what photos gave in head boxes that they no longer have, for undo.

Boxes of before keep an origin of NULL, which is "given".
"""


def _composed(record: str, key: str, name: str, owner: str) -> str:
    """Brings the names of rows, and those that they had, into one form of Unicode, unless two would be the same."""
    alone = f"SELECT {key} FROM {record} QUALIFY count(*) OVER (PARTITION BY {owner}, nfc_normalize({name})) = 1"
    kept = f"SELECT CAST({key} AS VARCHAR) FROM {record} WHERE {name} <> nfc_normalize({name})"
    past = "".join(
        f"""
UPDATE journal SET {side} = json_merge_patch({side}, json_object('{name}', nfc_normalize({side} ->> '{name}')))
    WHERE record = '{record}' AND {side} ->> '{name}' <> nfc_normalize({side} ->> '{name}') AND key NOT IN ({kept});
"""
        for side in ("before", "after")
    )
    return f"UPDATE {record} SET {name} = nfc_normalize({name}) WHERE {key} IN ({alone});{past}"


COMPOSED_NAMES = _composed("turtles", "key", "id", "true") + _composed("encounters", "id", "name", "turtle")
"""Names are kept with each letter and its accents in one; earlier versions kept them as they were typed.

Those that two turtles share, but for this, stay as they are, and `turtleidx check` names them.
"""

MIGRATIONS: tuple[str, ...] = (
    FIRST,
    DECISIONS,
    REVIEWS,
    REREAD,
    RECENT_SCORES,
    SIGHTINGS,
    ANSWERS,
    HEADS,
    COMPOSED_NAMES,
)

JOURNALLED = (
    *("turtles", "encounters", "photos", "models", "settings", "queries", "decisions", "reviews", "rejections"),
    "proposals",
)

DERIVED = {
    "photos": (
        *("keypoints", "quality", "width", "height"),
        *("sighting", "reader", "reading", "read_box", "taken_at", "content"),
    )
}
"""Columns that tell what the program read from a file, not what people said: they change without a journal, by
`index.catalog.reindex` and `index.catalog.readings` alone, and undo leaves them as they are.
"""
