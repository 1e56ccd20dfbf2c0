"""What a draw tells pairs apart by, kept where it draws from; which side each pair was shown on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.migrations.scripts import run_script

if TYPE_CHECKING:
    from sqlite_utils import Database

# load_1 counts those of load who have model 1 on the left. question_id, category and block follow
# from the pair. disputed is what the view disputed_pair says.
# stratum counts the pairs of the queue that a draw does not tell apart, and those of them that want
# votes: counting 100,000 pairs at each draw would take longer than all the rest of it.
TABLES = """
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    model_1 TEXT NOT NULL,
    model_2 TEXT NOT NULL,
    UNIQUE (model_1, model_2)
) STRICT;

CREATE TABLE group_load (
    "group" TEXT NOT NULL,
    pair_id INTEGER NOT NULL REFERENCES pair (id),
    load INTEGER NOT NULL CHECK (load >= 0),
    PRIMARY KEY ("group", pair_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_load_by_load ON group_load ("group", load);

CREATE TABLE stratum (
    load INTEGER NOT NULL,
    category TEXT,
    block INTEGER NOT NULL REFERENCES block (id),
    disputed INTEGER NOT NULL,
    pairs INTEGER NOT NULL CHECK (pairs >= 0),
    wanting INTEGER NOT NULL CHECK (wanting BETWEEN 0 AND pairs)
) STRICT;
CREATE INDEX stratum_by_block ON stratum (block, load);

ALTER TABLE queue ADD COLUMN load_1 INTEGER NOT NULL DEFAULT 0 CHECK (load_1 BETWEEN 0 AND load);
ALTER TABLE queue ADD COLUMN question_id INTEGER REFERENCES question (id);
ALTER TABLE queue ADD COLUMN category TEXT;
ALTER TABLE queue ADD COLUMN block INTEGER REFERENCES block (id);
ALTER TABLE queue ADD COLUMN disputed INTEGER NOT NULL DEFAULT 0 CHECK (disputed IN (0, 1));

INSERT INTO block (model_1, model_2)
    SELECT DISTINCT p.model_1, p.model_2 FROM queue u JOIN pair p ON p.id = u.pair_id ORDER BY 1, 2;
UPDATE queue SET (question_id, category, block) = (
    SELECT q.id, q.category, b.id FROM pair p JOIN question q ON q.id = p.question_id
    JOIN block b ON b.model_1 = p.model_1 AND b.model_2 = p.model_2 WHERE p.id = queue.pair_id);
UPDATE queue SET load_1 = h.number FROM (
    SELECT pair_id, count(*) AS number FROM assignment
    WHERE state IN ('open', 'done') AND repeat = 0 AND left = 1 GROUP BY pair_id) h
    WHERE h.pair_id = queue.pair_id;
UPDATE queue SET disputed = 1 WHERE pair_id IN (SELECT pair_id FROM disputed_pair);
INSERT INTO stratum SELECT load, category, block, disputed, count(*), sum(load < overlap)
    FROM queue GROUP BY load, category, block, disputed;
INSERT INTO group_load SELECT a."group", s.pair_id, count(*)
    FROM assignment s JOIN annotator a ON a.id = s.annotator_id
    WHERE s.state IN ('open', 'done') AND s.repeat = 0 GROUP BY 1, 2;

DROP INDEX queue_by_load;
CREATE INDEX queue_by_stratum ON queue (load, category, block, disputed, pair_id, overlap);
CREATE INDEX queue_by_question ON queue (question_id);
"""


KEEPING = """
CREATE TRIGGER queue_stratum AFTER INSERT ON queue BEGIN
    INSERT INTO block (model_1, model_2) SELECT p.model_1, p.model_2 FROM pair p
        WHERE p.id = NEW.pair_id AND NOT EXISTS (SELECT 1 FROM block b
        WHERE b.model_1 = p.model_1 AND b.model_2 = p.model_2);
    UPDATE queue SET (question_id, category, block, disputed) = (
        SELECT q.id, q.category, b.id,
            EXISTS (SELECT 1 FROM disputed_pair d WHERE d.pair_id = NEW.pair_id)
        FROM pair p JOIN question q ON q.id = p.question_id
        JOIN block b ON b.model_1 = p.model_1 AND b.model_2 = p.model_2 WHERE p.id = NEW.pair_id)
        WHERE pair_id = NEW.pair_id;
END;
CREATE TRIGGER queue_moves AFTER UPDATE OF load, overlap, category, block, disputed ON queue BEGIN
    UPDATE stratum SET pairs = pairs - 1, wanting = wanting - (OLD.load < OLD.overlap)
        WHERE block = OLD.block AND load = OLD.load AND category IS OLD.category
        AND disputed = OLD.disputed;
    INSERT INTO stratum SELECT NEW.load, NEW.category, NEW.block, NEW.disputed, 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM stratum t WHERE t.block = NEW.block AND t.load = NEW.load
        AND t.category IS NEW.category AND t.disputed = NEW.disputed);
    UPDATE stratum SET pairs = pairs + 1, wanting = wanting + (NEW.load < NEW.overlap)
        WHERE block = NEW.block AND load = NEW.load AND category IS NEW.category
        AND disputed = NEW.disputed;
END;
CREATE TRIGGER question_category AFTER UPDATE OF category ON question BEGIN
    UPDATE queue SET category = NEW.category WHERE question_id = NEW.id;
END;
"""


def _counting(name: str, event: str, condition: str, change: str) -> str:
    """A trigger that counts ``group_load``, so that nobody who votes reads others' groups."""
    return f"""
CREATE TRIGGER {name} AFTER {event} ON assignment WHEN NEW.repeat = 0 AND {condition} BEGIN
    INSERT INTO group_load SELECT a."group", NEW.pair_id, 0 FROM annotator a
        WHERE a.id = NEW.annotator_id AND NOT EXISTS (SELECT 1 FROM group_load g
        WHERE g."group" = a."group" AND g.pair_id = NEW.pair_id);
    UPDATE group_load SET load = load {change} WHERE pair_id = NEW.pair_id
        AND "group" = (SELECT a."group" FROM annotator a WHERE a.id = NEW.annotator_id);
END;
"""


_HELD = "NEW.state IN ('open', 'done')"
_WAS_HELD = "OLD.state IN ('open', 'done')"
COUNTING = (
    _counting("assignment_made", "INSERT", _HELD, "+ 1")
    + _counting("assignment_taken", "UPDATE OF state", f"{_HELD} AND NOT {_WAS_HELD}", "+ 1")
    + _counting("assignment_freed", "UPDATE OF state", f"{_WAS_HELD} AND NOT {_HELD}", "- 1")
)

# Import and merge look at the queue once, at their end: a trigger on each row would slow them down.
SETTLING = "".join(
    f"""
CREATE TRIGGER {log}_settles AFTER INSERT ON {log} WHEN {cast_here} BEGIN
    UPDATE queue SET disputed = 1 - disputed WHERE pair_id = NEW.pair_id AND disputed <>
        EXISTS (SELECT 1 FROM disputed_pair d WHERE d.pair_id = NEW.pair_id);
END;
"""
    for log, cast_here in (
        ("vote", "NEW.assignment_id IS NOT NULL"),
        ("verdict", "NEW.source_id IS NULL"),
    )
)

# A vote and a verdict contradict each other if the judge preferred the other model, in every order
# in which it preferred any: a flip follows the position and contradicts nobody.
DISPUTES = """
CREATE VIEW standing_vote AS
    SELECT v.pair_id, v.turn, v.choice FROM vote v
    WHERE v.choice IS NOT NULL AND v.repeat = 0
      AND NOT EXISTS (SELECT 1 FROM vote w WHERE w.supersedes = v.id);
CREATE VIEW standing_verdict AS
    SELECT x.judge_id, x.pair_id, x.turn, x.choice FROM verdict x
    WHERE x.choice IN ('model_1', 'model_2')
      AND NOT EXISTS (SELECT 1 FROM verdict w WHERE w.supersedes = x.id);
CREATE VIEW disputed_pair AS
    SELECT u.pair_id FROM queue u
    WHERE EXISTS (
        SELECT 1 FROM standing_vote v JOIN standing_vote w
        ON w.pair_id = v.pair_id AND w.turn = v.turn AND w.choice <> v.choice
        WHERE v.pair_id = u.pair_id)
    OR EXISTS (
        SELECT 1 FROM standing_vote v CROSS JOIN judge j CROSS JOIN standing_verdict x
        ON x.judge_id = j.id AND x.pair_id = v.pair_id AND x.turn = v.turn
        WHERE v.pair_id = u.pair_id AND v.choice IN ('model_1', 'model_2') AND x.choice <> v.choice
        AND NOT EXISTS (SELECT 1 FROM standing_verdict y WHERE y.judge_id = j.id
            AND y.pair_id = v.pair_id AND y.turn = v.turn AND y.choice = v.choice));
"""


def m004_assignment(db: Database) -> None:
    """Widen ``queue``, count loads by group, and say which pairs are disputed."""
    for script in (DISPUTES, TABLES, KEEPING, COUNTING, SETTLING):
        run_script(db, script)
