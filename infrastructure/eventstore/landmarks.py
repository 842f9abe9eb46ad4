"""The SQL that finds, for versions of workflows, the last event of each type.

A state is the fold of these few events. All but the creation and the failures, which are the most
frequent events, stand in an index of their own (`workflow_events_landmarks`); a failure is looked
for backwards along the workflow's events, each of which is read once at most for all versions.
"""

from infrastructure.eventstore.shapes import SHAPES

FIRST = "created."  # the only event that is always at the same place: version 1

_LAST = """
    SELECT asked.id, asked.version, max(found.version) OVER (
        PARTITION BY asked.id ORDER BY asked.version
    ) AS landmark
    FROM asked LEFT JOIN LATERAL (
        SELECT e.originator_version AS version FROM workflow_events AS e
        WHERE e.originator_id = asked.id AND e.topic = '{name}'
          AND e.originator_version > asked.lower AND e.originator_version <= asked.version
        ORDER BY e.originator_version DESC LIMIT 1
    ) AS found ON true
"""
_OTHERS = [name for name in SHAPES if not name.startswith(FIRST)]
LANDMARKS = f"""
    WITH asked AS (
        SELECT id, version, lag(version, 1, 1::bigint) OVER (PARTITION BY id ORDER BY version)
            AS lower
        FROM unnest(%s::uuid[], %s::bigint[]) AS asked (id, version)
    )
    SELECT id::text, version, landmark FROM (
        {" UNION ALL ".join(_LAST.format(name=name) for name in _OTHERS)}
    ) AS found
    WHERE landmark IS NOT NULL ORDER BY landmark
"""  # noqa: S608 - names of ours
