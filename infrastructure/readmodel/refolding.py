"""Folds names again if rows were written with another folding or another version of Unicode.

Otherwise searches would miss those rows until their workflows change. The column's comment in the
database names the folding of its values.
"""

from unicodedata import unidata_version
from zlib import crc32

from psycopg import Connection

from domain.filters import folded
from infrastructure.postgres.connection import with_network_guards
from infrastructure.readmodel.rows import FOLDS

FOLDING = f"folding {crc32(folded(FOLDS).encode())}, Unicode {unidata_version}"
"""The name of the current folding."""
BATCH = 2000  # rows: each batch is a short transaction

_FOUND = """
    SELECT col_description(c.oid, a.attnum), pg_has_role(c.relowner, 'USAGE')
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.oid = 'workflows'::regclass AND a.attname = 'name_folded'
"""
_NEXT = """
    SELECT id, name, name_folded FROM workflows
    WHERE id > %s::uuid ORDER BY id LIMIT %s
"""
# If a name changed meanwhile, that change has folded it.
_FOLD = """
    UPDATE workflows AS w SET name_folded = again.folded
    FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS again (id, name, folded)
    WHERE w.id = again.id AND w.name = again.name
"""
_DONE = f"COMMENT ON COLUMN workflows.name_folded IS '{FOLDING}'"


def fold_names_again(dsn: str) -> int:
    """Makes every stored name findable, and returns how many were folded anew.

    Does nothing if the role does not own the table: the owner does it when it migrates. Rows are
    read only if the database has another folding.
    """
    with Connection.connect(with_network_guards(dsn), autocommit=True) as connection:
        found, owns = connection.execute(_FOUND).fetchone() or ("", False)
        if found == FOLDING or not owns:
            return 0
        count, last = 0, "00000000-0000-0000-0000-000000000000"
        while rows := connection.execute(_NEXT, (last, BATCH)).fetchall():
            last = str(rows[-1][0])
            again = [(key, name, folded(name)) for key, name, old in rows if old != folded(name)]
            if again:
                ids, names, values = (list(column) for column in zip(*again, strict=True))
                count += connection.execute(_FOLD, (ids, names, values)).rowcount
        connection.execute(_DONE.encode())
    return count
